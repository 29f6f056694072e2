"""The contact sheet: frames as they are, between the pictures that were given."""

import numpy as np
import pytest
from PIL import Image

from worker.demo.sheet import FRAMES_SHOWN, MARK, PAPER, Row, draw_sheet, evenly

WIDTH, HEIGHT, COUNT = 32, 24, 17
GIVEN_FIRST, GIVEN_LAST = (10, 200, 30), (30, 10, 200)


def row(title: str = "a ball") -> Row:
    """Make a row of 17 frames, each of one grey of its own, 7 apart."""
    greys = 7 * np.arange(1, COUNT + 1, dtype=np.uint8)
    frames = np.broadcast_to(greys[:, None, None, None], (COUNT, HEIGHT, WIDTH, 3))
    first, last = (
        Image.new("RGB", (2 * WIDTH, 2 * HEIGHT), it) for it in (GIVEN_FIRST, GIVEN_LAST)
    )
    return Row(
        title=title, detail="LoRA", first=("one", first), last=("two", last), frames=frames.copy()
    )


def areas(sheet: Image.Image) -> dict[tuple[int, ...], int]:
    """Count the pixels of each colour."""
    return {colour: count for count, colour in sheet.getcolors(sheet.width * sheet.height) or []}


@pytest.mark.parametrize(("count", "shown"), [(17, 7), (81, 7), (5, 2), (7, 7)])
def test_shown_frames_are_evenly_spaced_from_the_first_to_the_last(count: int, shown: int) -> None:
    """No two steps differ by more than one frame."""
    chosen = evenly(count, shown)
    steps = np.diff(chosen)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, count - 1, shown)
    assert steps.max() - steps.min() <= 1


def test_a_short_segment_is_shown_whole() -> None:
    """Each of its frames once."""
    assert evenly(5, 7) == [0, 1, 2, 3, 4]


def test_each_shown_frame_is_on_the_sheet_unscaled() -> None:
    """Pixel by pixel: a frame of one colour covers exactly its own size."""
    found = areas(draw_sheet("a title", [row()]))
    for index in evenly(COUNT, FRAMES_SHOWN):
        grey = 7 * (index + 1)
        assert found[grey, grey, grey] >= WIDTH * HEIGHT


def test_given_pictures_stand_at_both_ends_in_the_size_of_the_frames() -> None:
    """The first left of all frames, the last right of them."""
    sheet = draw_sheet("a title", [row()])
    found = areas(sheet)
    assert found[GIVEN_FIRST] == found[GIVEN_LAST] == WIDTH * HEIGHT
    pixels = np.asarray(sheet)
    across = [
        np.nonzero((pixels == colour).all(axis=2))[1]
        for colour in (GIVEN_FIRST, (7, 7, 7), GIVEN_LAST)
    ]
    assert across[0].max() < across[1].min()
    assert across[1].max() < across[2].min()


def test_given_pictures_are_marked() -> None:
    """A frame in a colour that nothing else has is around each."""
    sheet = draw_sheet("a title", [row()])
    mark = np.array(Image.new("RGB", (1, 1), MARK))[0, 0]
    marked = (np.asarray(sheet) == mark).all(axis=2)
    top = np.nonzero((np.asarray(sheet) == GIVEN_FIRST).all(axis=2))[0].min()
    assert marked[top - 1].sum() >= 2 * WIDTH


def test_rows_stand_below_each_other() -> None:
    """Each adds the same height."""
    heights = [draw_sheet("a title", [row()] * count).height for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > HEIGHT


def test_title_and_captions_are_written() -> None:
    """Where a text is, the paper is not blank; another text looks otherwise."""
    sheets = [draw_sheet("a title", [row(title)]) for title in ("a ball", "a star", "a ball")]
    blank = np.array(Image.new("RGB", (1, 1), PAPER))[0, 0]
    assert (np.asarray(sheets[0])[:48] != blank).any()
    assert sheets[0].tobytes() != sheets[1].tobytes()
    assert sheets[0].tobytes() == sheets[2].tobytes()
