"""What the tests have a page run: JavaScript that measures it, changes it, waits for it."""

# Where the elements stand.
BOXES = """(selector) => [...document.querySelectorAll(selector)].map((one) => {
  const box = one.getBoundingClientRect();
  return {x: box.x, right: box.right, width: box.width, height: box.height};
})"""
# Waits until an element is shown.
SHOWN = """(selector) => new Promise((done) => {
  const look = () => {
    if (document.querySelector(selector).checkVisibility()) done(true);
    else requestAnimationFrame(look);
  };
  look();
})"""
# Puts in a script and a style by force, and waits until the page has heard of the event: a handler
# in the markup would have run before the listener that comes after it.
FORCED = """() => new Promise((done) => {
  document.body.insertAdjacentHTML("beforeend",
    '<img id=planted src="data:," onerror="window.pwned = 1">' +
    '<p style="color: red" id=forced>x</p>');
  document.querySelector("#planted").addEventListener("error", done);
}).then(() => true)"""
# Waits until a text is another than it was, and returns it.
CHANGED = """(selector, before) => new Promise((done) => {
  const look = () => {
    const text = document.querySelector(selector).textContent;
    if (text === before) requestAnimationFrame(look);
    else done(text);
  };
  look();
})"""
# Every text of the page with its colour, what is behind it, and its size and weight.
TEXTS = """(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) =>
    [r, g, b].map((part, at) => part * a + below[at] * (1 - a));
  const behind = (element) => {
    const bar = element.closest("svg .bar");
    if (bar) return parts(getComputedStyle(bar.querySelector("rect")).fill);
    const above = [];
    for (let one = element; one; one = one.parentElement) {
      above.push(parts(getComputedStyle(one).backgroundColor));
    }
    return above.reverse().reduce((below, color) => over(color, below), [255, 255, 255]);
  };
  const light = (color) => {
    const [r, g, b] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest("script, svg title") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const below = behind(element);
    const own = over(parts(element.closest("svg") ? style.fill : style.color), below);
    const [dark, bright] = [light(own), light(below)].sort((a, b) => a - b);
    found.push([(bright + 0.05) / (dark + 0.05), text.slice(0, 40), element.className.toString()]);
  }
  return found;
})()"""
