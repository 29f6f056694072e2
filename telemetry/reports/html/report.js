"use strict";
// What the page can do beyond showing: filter parameters, open all frames, copy, print unfolded,
// fold its contents away on a narrow screen.
// Without it everything is shown, and nothing is offered that would not work.
(() => {
  const byId = (id) => document.getElementById(id);

  const filter = byId("parameters-filter");
  if (filter) {
    const rows = [...byId("parameter-rows").rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const search = byId("parameters-search");
    const layer = byId("parameters-layer");
    const changed = byId("parameters-changed");
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, number) => {
        const fits =
          words.every((word) => texts[number].includes(word)) &&
          (!layer.value || row.dataset.layer === layer.value) &&
          (!changed.checked || row.classList.contains("changed"));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      byId("parameters-count").textContent = `${shown} of ${rows.length}`;
      byId("parameters-none").hidden = shown > 0;
    };
    search.addEventListener("input", apply);
    layer.addEventListener("change", apply);
    changed.addEventListener("change", apply);
    filter.hidden = false;
    apply();
  }

  for (const button of document.querySelectorAll("button[data-fold]")) {
    button.addEventListener("click", () => {
      const folds = button.closest("section").querySelectorAll("details");
      folds.forEach((fold) => { fold.open = button.dataset.fold === "open"; });
    });
    button.parentElement.hidden = false;
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.addEventListener("click", async () => {
      const source = byId(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
    });
    button.hidden = false;
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => {
    opened.forEach((fold) => { fold.open = false; });
    opened = [];
  });

  // As wide as the style has it: there, and not on paper, the contents have a summary to open by.
  const narrow = matchMedia("screen and (max-width: 37.5rem)");
  const contents = document.querySelector("nav.contents > details");
  if (contents) {
    const suit = () => { contents.open = !narrow.matches; };
    narrow.addEventListener("change", suit);
    suit();
  }

  const entries = new Map();
  for (const entry of document.querySelectorAll("nav.contents a")) {
    entries.set(entry.hash.slice(1), entry);
  }
  const visible = new Set();
  const watcher = new IntersectionObserver((changes) => {
    for (const change of changes) {
      if (change.isIntersecting) visible.add(change.target.id);
      else visible.delete(change.target.id);
    }
    let current = true;
    for (const [id, entry] of entries) {
      const first = current && visible.has(id);
      if (first) {
        entry.setAttribute("aria-current", "true");
        current = false;
      } else {
        entry.removeAttribute("aria-current");
      }
    }
  });
  for (const id of entries.keys()) watcher.observe(byId(id));
})();
