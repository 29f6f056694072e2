"""What version of itself a checkout says it is, and of which commit."""

import re
from pathlib import Path
from typing import Any, Final

_VERSION_NAMES: Final = ("wangp_version", "__version__")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def version_of(module: Any) -> str:
    """Return what its module calls its version; "" where it does not."""
    said = {name.lower(): value for name, value in vars(module).items()}
    return next((str(said[name]) for name in _VERSION_NAMES if said.get(name)), "")


def commit_of(root: Path) -> str:
    """Return the commit that is checked out, "" where that is not known. No git is run."""
    git = root / ".git"
    try:
        if git.is_file():  # a worktree or a submodule says where its own is
            git = (root / git.read_text().partition(":")[2].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if _COMMIT.fullmatch(head):
            return head
        reference = head.partition(":")[2].strip()
        return _at(_common(git), reference)
    except (OSError, ValueError):  # it may be no text
        return ""


def _common(git: Path) -> Path:
    shared = git / "commondir"
    return (git / shared.read_text().strip()).resolve() if shared.is_file() else git


def _at(git: Path, reference: str) -> str:
    loose = git / reference
    if loose.is_file():
        return loose.read_text().strip()
    packed = (git / "packed-refs").read_text().splitlines()
    found = (line.split(" ") for line in packed if line.endswith(f" {reference}"))
    return next((parts[0] for parts in found), "")
