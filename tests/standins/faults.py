"""The faults that a stand-in checkout can be asked for, and what each comes to.

The line at which each is ends in a comment, `# fault: NAME`, once in a checkout. A second mark of
a fault, as in `# fault: text-only, told`, is where it is seen, not where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

# What the engine's entry does then. A session makes a text of all that escapes.
Ends: TypeAlias = Literal[
    "at-import",  # wgp.py cannot be imported
    "at-settings",  # get_default_settings raises
    "escapes",  # the exception leaves the entry
    "told",  # it is caught in there, and its text passed on by send_cmd, in the except block
    "told-later",  # as "told", but when nothing is being handled any more
    "silent",  # it is caught in there, or in a thread; nobody is told; no file appears
    "refused",  # the entry returns False and only prints; a session has an error of its own
    "result",  # all is said to be well, and the file is not there, or not what was asked for
    "dies",  # the process ends
    "hangs",  # for ten minutes, or until the checkout is mended
    "slow",  # it is well, and slow
    "leaves",  # it is well; something stays changed in the process or in the checkout
]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a fault ends, and what it does."""

    ends: Ends
    does: str


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        # wgp.py
        "no-cuda": Fault("at-import", "RuntimeError: no device"),
        "none-at-settings": Fault("at-settings", "the kept settings are null: None.get"),
        "none-at-frames": Fault("escapes", "the incident's own: a name stripped to '': None.get"),
        "none-at-fps": Fault("escapes", "get_model_fps(''): None.get"),
        "none-at-dtype": Fault("escapes", "get_transformer_dtype('') while it loads: None.get"),
        "none-at-attention": Fault("escapes", "get_attention_modes(''): None.get"),
        "none-at-sliding-window": Fault("escapes", '"sliding_window_defaults": null: None.get'),
        "none-at-state": Fault("escapes", "the state is None: None.get"),
        "none-at-class": Fault("told", "test_class_i2v('') beside the model call: None.get"),
        "in-callback": Fault("told", "IndexError in the closure that each step calls"),
        "told-only": Fault("told-later", "an error is told where no exception ever was"),
        "validation": Fault("refused", "ValueError, caught and made a text"),
        "validation-text": Fault("refused", "a text, where no exception ever was"),
        "no-file": Fault("result", "returns True before it writes a file"),
        "leaves-abort-flag": Fault("leaves", 'gen["abort"] and the model\'s _interrupt stay set'),
        "mutates-defaults": Fault("leaves", "writes another seed and guidance into the settings"),
        "mutates-primary-settings": Fault("leaves", "primary_settings has another strength"),
        "mutates-server-config": Fault("leaves", 'server_config["save_path"] is another'),
        "leaves-stdout": Fault("leaves", "sys.stdout is sys.stderr; a session undoes it"),
        "changes-signal": Fault("leaves", "SIGINT is ignored; not in a session's thread"),
        # models/standin/
        "load": Fault("escapes", "KeyError: a tensor is missing"),
        "text-encoder": Fault("told", "ValueError: too many tokens"),
        "scheduler": Fault("told", "IndexError: a step after the last"),
        "vae-decode": Fault("told", "ValueError out of numpy: shapes do not fit"),
        "out-of-memory": Fault("told", "RuntimeError as torch's, twice: in one piece, in tiles"),
        "in-generator": Fault("told", "LookupError in a generator that the model iterates"),
        "in-finally": Fault("told", "TypeError in a finally block; ArithmeticError was under way"),
        "system-exit": Fault("escapes", "sys.exit(0) while it decodes"),
        "exit-now": Fault("dies", "os._exit(0) in the second step"),
        "segfault": Fault("dies", "SIGSEGV in the second step"),
        "abort": Fault("dies", "SIGABRT in the second step"),
        "hang": Fault("hangs", "sleeps in the second step"),
        "hang-native": Fault("hangs", "waits in native code that holds the GIL"),
        "ignores-cancel": Fault("hangs", "naps over and over, and looks at no flag"),
        "slow-steps": Fault("slow", "a fifth of a second a step; can be cancelled"),
        "leaves-thread": Fault("leaves", 'a thread "pinned-upload" waits for ever'),
        # shared/utils/
        "lora": Fault("escapes", "ValueError: a multiplier is no number"),
        "save-video": Fault("escapes", "OSError: no space left"),
        "in-thread": Fault("silent", "AttributeError in the thread that writes; True is returned"),
        "printed": Fault("silent", "KeyError, then print_exc; True is returned"),
        "logged": Fault("silent", "IndexError, then logging.exception; True is returned"),
        "passed": Fault("silent", "ZeroDivisionError, then pass; True is returned"),
        "text-only": Fault("told-later", 'ValueError; "Something went wrong" is told afterwards'),
        "reraised-as-text": Fault("escapes", "OSError, raised again as RuntimeError(str(exc))"),
        "reraised-from-none": Fault("escapes", "TypeError, raised again `from None`"),
        "few-frames": Fault("result", "four frames fewer"),
        "wrong-size": Fault("result", "half as high"),
        "changes-directory": Fault("leaves", "the working directory is where videos go"),
    }
)
