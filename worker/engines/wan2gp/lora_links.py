"""LoRA files where a checkout looks for them: in its own folder, by a name of their own."""

import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from worker.engines.base import LoraFile
from worker.engines.wan2gp.habits import contained
from worker.errors import EngineError

PREFIX: Final = "loop26-"
_DIGITS: Final = 12
_LONGEST_SHOWN: Final = 50  # of a file's own name; a name has 255 bytes, a character up to 4
_OLD_S: Final = 86_400.0
_SUFFIX: Final = ".safetensors"


@contextmanager
def linked(loras: Sequence[LoraFile], module: Any, model: str, root: Path) -> Iterator[list[str]]:
    """Link LoRA files into the checkout's folder for the time of the block; yield their names.

    Older checkouts find a LoRA by its base name, in their own folder alone; two files of one base
    name would be one. A checkout that does not say where its folder is gets the files' own paths.
    """
    ask = getattr(module, "get_lora_dir", None)
    if not loras or ask is None:
        yield [str(lora.path) for lora in loras]
        return
    with contained(root, argv=sys.argv):
        said = ask(model)
    if not said:
        yield [str(lora.path) for lora in loras]
        return
    folder = _folder(root / str(said))  # of an absolute path, that
    _sweep(folder)
    links: list[Path] = []
    try:
        for lora in loras:
            links.append(_name(lora.path, folder))
            _link(lora.path, links[-1])
        yield [link.name for link in links]
    finally:
        for link in links:
            with suppress(OSError):
                link.unlink()


def _sweep(folder: Path) -> None:
    """Remove links that processes have left which were ended in a call; by age: pids are reused."""
    for link in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - link.lstat().st_mtime > _OLD_S:
                link.unlink(missing_ok=True)


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"the checkout's folder of LoRAs {str(folder)!r} cannot be made: {error.strerror}; "
            "let the worker's user write there"
        ) from error
    return folder


def _name(file: Path, folder: Path) -> Path:
    own = hashlib.sha256(os.fsencode(file)).hexdigest()[:_DIGITS]
    shown = file.name.removesuffix(_SUFFIX)[:_LONGEST_SHOWN]
    return folder / f"{PREFIX}{own}-{_process()}-{shown}{_SUFFIX}"


@cache
def _process() -> str:
    """Return this process's own part of a name: of two containers, both may have one process id."""
    return secrets.token_hex(4)


def _link(file: Path, link: Path) -> None:
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(file.absolute())
    except OSError:
        try:
            shutil.copyfile(file, link)
        except OSError as error:
            raise EngineError(
                f"the LoRA {str(file)!r} cannot be put into the checkout's folder "
                f"{str(link.parent)!r}: {error.strerror}; let the worker's user write there"
            ) from error
