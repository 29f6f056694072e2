"""What driving a checkout raises on purpose."""

from collections.abc import Sequence
from pathlib import Path

from worker.errors import EngineError


class CheckoutUnusable(EngineError):
    """Raised where an operator's checkout cannot be imported, or has not what is called of it."""

    def __init__(self, root: Path, problem: str) -> None:
        super().__init__(f"the checkout {str(root)!r} {problem}")
        self.root = root
        self.problem = problem


class EngineReported(EngineError):
    """Raised for a failure of which an engine has passed on a text; what it hid is in the record.

    Args:
        text: As it was passed on.
        stage: What the engine called the part in which it failed, "" where it did not.
        spoken_at: The line of the checkout in which the text stands, "" where that is not known.
    """

    def __init__(self, text: str, *, stage: str = "", spoken_at: str = "") -> None:
        where = f" in its stage {stage!r}" if stage else ""
        line = f"; that text stands at {spoken_at}" if spoken_at else ""
        super().__init__(f"the engine reports{where}: {text or 'no reason at all'}{line}")
        self.text = text
        self.stage = stage
        self.spoken_at = spoken_at


class NoOutput(EngineError):
    """Raised when an engine says that all went well, and has made no video.

    Args:
        folder: Where it was told to write.
        named: The files that it names.
        last: What it told last, and where.
        printed: What it printed last, and where.
        came_back: The line by which its call came back; known where it is watched.
    """

    def __init__(
        self, folder: Path, *, named: Sequence[str], last: str, printed: str, came_back: str = ""
    ) -> None:
        said = f"that it has made {', '.join(named)}" if named else "nothing of a failure"
        back = f"it came back by {came_back}; " if came_back else ""
        watched = "" if came_back else "; `loop26 replay` sees them all, and where it comes back"
        super().__init__(
            f"the engine says {said}, and no video has appeared where it was told to write; {back}"
            f"the last that it printed was {printed or 'nothing at all'}; the last that it told "
            f"was {last or 'nothing at all'}; all of that, and the exceptions that it is seen to "
            f"handle, are in the record{watched}"
        )
        self.folder = folder
        self.last = last
        self.printed = printed
        self.came_back = came_back
