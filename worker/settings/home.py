"""The home folder: made private, checked before anything is written into it."""

import os
import tempfile
from pathlib import Path

from worker.errors import HomeError
from worker.settings import Settings

# Counted up when a home written by this version cannot be used by the version before it.
HOME_VERSION = 1
VERSION_FILE = "version"


def prepare_home(settings: Settings) -> None:
    """Make the home and its folders, for the owner alone; refuse one that cannot be used.

    A home that is there keeps the mode it has.

    Raises:
        HomeError: It is no folder, cannot be written, or is of a newer version.
    """
    home = settings.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_version(home)
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(b"loop26")
        for folder in (
            settings.spool_dir,
            settings.outputs_dir,
            settings.models_dir,
            settings.cache_dir,
        ):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HomeError(home, f"cannot be used: {error.strerror or error}") from error


def _check_version(home: Path) -> None:
    path = home / VERSION_FILE
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        _write_version(path)
        return
    if not text.isdigit():
        raise HomeError(home, f"its file {VERSION_FILE!r} holds {text[:40]!r}, not a number")
    if int(text) > HOME_VERSION:
        raise HomeError(
            home,
            f"is of version {text} and this loop26 knows up to {HOME_VERSION}; install a newer one",
        )


def _write_version(path: Path) -> None:
    # Renamed into place, so that a second process never reads half of it.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".version-")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{HOME_VERSION}\n")
    Path(name).replace(path)
