"""The faults of a stand-in checkout: what is known beforehand of how a task ends by each."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.standins.checkouts import Kind

# How a line is known: it is the failure's own, or that of the checkout which called a library, or
# of what it was raised from; or that of what was swallowed and is behind it; or nobody has raised
# anything, and the sentence has it; or nobody has said a word, and a replay has seen it.
How: TypeAlias = Literal[
    "raised at",
    "called at",
    "in its chain",
    "caused by",
    "reported at",
    "stands at",
    "written at",
    "stopped at",
    "replayed",
]
OTHER_MODEL: Final = "t2v_standin"  # one that is not loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a fault beforehand.

    Attributes:
        type: Of the failure.
        how: How the line is known.
        cause: The type of what is behind it, where that has the line.
        stage: Of the task.
        at: The mark of the line, where it is not the fault's own: or its file and a text in it.
        row: Of the line that the row names, where that is another.
        model: Which must be generated with.
    """

    type: str
    how: How = "raised at"
    cause: str = ""
    stage: str = "generate"
    at: str | tuple[str, str] = ""
    row: str | tuple[str, str] = ""
    model: str = "i2v_standin"


NO_OUTPUT: Final = "worker.engines.wan2gp.errors.NoOutput"
REPORTED: Final = "worker.engines.wan2gp.errors.EngineReported"
WRITTEN: Final = ("shared/utils/video.py", "writer.send(None)")
TOLD: Final = ("wgp.py", 'send_cmd("progress", [0, status])')

KNOWN: Final = {
    "none-at-frames": Known(type="AttributeError"),
    "none-at-fps": Known(type="AttributeError"),
    "none-at-dtype": Known(type="AttributeError", stage="model", model=OTHER_MODEL),
    "none-at-attention": Known(type="AttributeError"),
    "none-at-sliding-window": Known(type="AttributeError"),
    "none-at-state": Known(type="AttributeError"),
    "none-at-class": Known(type="AttributeError"),
    "none-at-settings": Known(type="AttributeError", stage="inputs"),
    "load": Known(type="KeyError", stage="model", model=OTHER_MODEL),
    "text-encoder": Known(type="ValueError"),
    "scheduler": Known(type="IndexError"),
    "lora": Known(type="ValueError"),
    "save-video": Known(type="OSError"),
    # Of the first try: it is made a second time, with all memory freed.
    "out-of-memory": Known(type="RuntimeError", cause="RuntimeError"),
    "vae-decode": Known(type="ValueError", how="called at"),
    "reraised-as-text": Known(
        type="RuntimeError", how="in its chain", row="reraised-as-text, raised again"
    ),
    "reraised-from-none": Known(
        type="RuntimeError", how="in its chain", row="reraised-from-none, raised again"
    ),
    "validation": Known(type=NO_OUTPUT, how="caused by", cause="ValueError"),
    "validation-text": Known(type=NO_OUTPUT, how="stands at"),
    "in-callback": Known(type="IndexError"),
    "in-generator": Known(type="LookupError"),
    "in-finally": Known(type="TypeError"),
    "in-thread": Known(type=NO_OUTPUT, how="caused by", cause="AttributeError"),
    "printed": Known(type=NO_OUTPUT, how="caused by", cause="KeyError"),
    "logged": Known(type=NO_OUTPUT, how="caused by", cause="IndexError"),
    "system-exit": Known(type="SystemExit"),
    "exit-now": Known(type="exit", how="stopped at"),
    "segfault": Known(type="segfault", how="stopped at"),
    "abort": Known(type="abort", how="stopped at"),
    "hang": Known(type="hang", how="stopped at"),
    "hang-native": Known(type="hang", how="stopped at"),
    "told-only": Known(type=REPORTED, how="reported at", cause="Reported"),
    "text-only": Known(type=REPORTED, how="replayed", cause="Reported", row="text-only, told"),
    "no-file": Known(type=NO_OUTPUT, how="replayed", row=TOLD),
    "passed": Known(type=NO_OUTPUT, how="replayed", row=TOLD),
    "few-frames": Known(type="worker.errors.FrameCountMismatch", how="written at", at=WRITTEN),
    "wrong-size": Known(type="worker.errors.EngineError", how="written at", at=WRITTEN),
}
SILENT: Final = tuple(fault for fault, known in KNOWN.items() if known.how == "replayed")
# What is refused before the entry is called: a session has a text of it, and no entry prints one.
OF_SESSION: Final = {
    "validation": Known(type=REPORTED, how="caused by", cause="ValueError"),
    "validation-text": Known(type=REPORTED, how="stands at"),
}


def known_of(kind: Kind, fault: str) -> Known:
    """Return what is known of a fault in a generation."""
    return (OF_SESSION if kind == "session" else {}).get(fault, KNOWN[fault])
