"""Makes the README's pictures from what the demo left: its contact sheet, and its report's top.

Run by hand, from the root of the checkout, after `make demo`; needs Chromium:
.venv/bin/python -m tools.draw_readme_pictures
"""

import re
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser import running
from worker.demo.incident import PAGE
from worker.demo.show import SHEET

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 250_000
_COARSER = (1, 2, 3, 4, 6, 8)
WIDTH, HEIGHT = 1120, 1044


def main(home: Path) -> None:
    """Write both into docs/pictures/."""
    FOLDER.mkdir(exist_ok=True)
    sheet, report = FOLDER / "contact-sheet.png", FOLDER / "report.png"
    save_small(Image.open(home / SHEET), sheet)
    take(home / PAGE, report)
    save_small(Image.open(report), report)


def take(page: Path, path: Path) -> None:
    """Take a picture of a report's top. Paths begin at the checkout: where it lies is nobody's."""
    # A line of the page may break after each folder.
    checkout = re.escape(f"{ROOT}/").replace("/", "/(?:<wbr/>)?")
    text = re.sub(checkout, "", page.read_text(encoding="utf-8"))
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as short:
        short.write(text)
        short.flush()
        with running() as browser:
            browser.view(WIDTH, HEIGHT)
            browser.open(Path(short.name)).screenshot(path)


def save_small(picture: Image.Image, path: Path) -> None:
    """Save a picture, its colours rounded no further than it takes to be small.

    Raises:
        ValueError: It is too large for a README however far they are rounded.
    """
    for step in _COARSER:
        rounded = [min(255, round(value / step) * step) for value in range(256)]
        picture.convert("RGB").point(rounded * 3).save(path, optimize=True)
        size = path.stat().st_size
        if size <= MOST_BYTES:
            return
    raise ValueError(f"{path} has {size} bytes, more than {MOST_BYTES}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo"))
