"""Makes stand-in checkouts of Wan2GP, one of each generation, and breaks them.

What all have is in `both/`; what only one has, in the folder named for it.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["functions", "media_functions", "session"]

KINDS: Final[tuple[Kind, ...]] = ("functions", "media_functions", "session")
MODELS: Final = ("i2v_standin", "t2v_standin", "two_expert_standin")
VERSION: Final = "11.5"

_HERE = Path(__file__).parent
_ENDS: Mapping[Kind, str] = MappingProxyType(
    {"functions": "functions", "media_functions": "session", "session": "session"}
)
_DASHES = "# " + 96 * "-" + "\n"
_GIT = (
    *("git", "-c", "user.name=A stand-in", "-c", "user.email=standin@example.org"),
    *("-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout on disk.

    Attributes:
        root: Its folder, with wgp.py.
        kind: Its generation.
        commit: The commit it is at; "" where there is no git.
    """

    root: Path
    kind: Kind
    commit: str

    def break_with(self, fault: str) -> None:
        """Have it meet this fault from now on, one of `tests.standins.faults`."""
        (self.root / "fault").write_text(f"{fault}\n")

    def mend(self) -> None:
        """Have it meet none."""
        (self.root / "fault").unlink(missing_ok=True)

    def line_of(self, fault: str) -> tuple[Path, int]:
        """Find the line at which a fault is, or something of it, as in "text-only, told"."""
        [found] = self.marks()[fault]
        return found

    def marks(self) -> Mapping[str, list[tuple[Path, int]]]:
        """Find every line that is marked, by the text of its mark."""
        found: dict[str, list[tuple[Path, int]]] = {}
        for path in sorted(self.root.rglob("*.py")):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                _, mark, fault = line.partition("# fault: ")
                if mark:
                    found.setdefault(fault, []).append((path, number))
        return found

    def last_call(self, save_path: Path | None = None) -> dict[str, Any]:
        """Return what the last call that came to a video was given, and its steps as "plan".

        `save_path` is where it was told to write its videos.
        """
        written = (save_path or self.root / "outputs") / "last_call.json"
        found: dict[str, Any] = json.loads(written.read_text())
        return found


def make_checkout(kind: Kind, folder: Path) -> Checkout:
    """Make a checkout in a folder, which must not be there."""
    shutil.copytree(_HERE / "both", folder, ignore=shutil.ignore_patterns("__pycache__"))
    end = (_HERE / _ENDS[kind] / "wgp_end.py").read_text()
    with (folder / "wgp.py").open("a") as wgp:
        wgp.write(end.partition(_DASHES)[2])
    if kind == "session":
        shutil.copy(_HERE / "session" / "shared" / "api.py", folder / "shared")
    (folder / ".gitignore").write_text(
        "__pycache__/\nfault\noutputs/\nsettings/\nwgp_config.json\n"
    )
    for loras in ("standin", "standin_i2v"):
        (folder / "loras" / loras).mkdir(parents=True)
    return Checkout(root=folder, kind=kind, commit=_commit(folder))


def _commit(folder: Path) -> str:
    if shutil.which("git") is None:
        return ""
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "A stand-in")):
        subprocess.run([*_GIT, *arguments], cwd=folder, check=True, capture_output=True)
    said = subprocess.run(
        [*_GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return said.stdout.strip()
