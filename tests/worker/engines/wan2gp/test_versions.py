"""Which version and which commit a checkout says it is."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from worker.engines.wan2gp.versions import commit_of, version_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    done = subprocess.run(
        [
            *("git", "-c", "user.name=a", "-c", "user.email=a@example.org"),
            *("-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main", *arguments),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout with two commits."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for message in ("one", "two"):
        git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return folder


def module(**held: object) -> ModuleType:
    """Make a module that holds these."""
    made = ModuleType("wgp")
    vars(made).update(held)
    return made


@pytest.mark.parametrize(
    ("held", "version"),
    [
        ({"WanGP_version": "10.2"}, "10.2"),
        ({"wangp_version": 9.1}, "9.1"),
        ({"__version__": "1.0"}, "1.0"),
        ({"WanGP_version": "", "__version__": "1.0"}, "1.0"),
        ({"WanGP_version": "10.2", "__version__": "1.0"}, "10.2"),
        ({}, ""),
    ],
)
def test_a_version_is_what_the_module_calls_so(held: dict[str, object], version: str) -> None:
    """However it is spelled."""
    assert version_of(module(**held)) == version


@needs_git
@pytest.mark.parametrize(
    "do",
    [
        lambda _: None,
        lambda folder: git(folder, "pack-refs", "--all"),
        lambda folder: [git(folder, "tag", "-am", "v", "v1"), git(folder, "pack-refs", "--all")],
        lambda folder: git(folder, "checkout", "--quiet", "--detach", "HEAD~1"),
        lambda folder: git(folder, "checkout", "--quiet", "-b", "feature/a.b"),
        lambda folder: [
            git(folder, "pack-refs", "--all"),
            git(folder, "commit", "--quiet", "--allow-empty", "-m", "three"),
        ],
    ],
)
def test_the_commit_is_the_one_that_git_says(checkout: Path, do: Callable[[Path], object]) -> None:
    """On a branch, packed or not, or off any."""
    do(checkout)
    assert commit_of(checkout) == git(checkout, "rev-parse", "HEAD")


@needs_git
@pytest.mark.parametrize("arguments", [("-b", "other"), ("--detach",)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree_has_its_own(
    checkout: Path, tmp_path: Path, arguments: tuple[str, ...], packed: object
) -> None:
    """Its branches are with the others."""
    tree = tmp_path / "tree"
    git(checkout, "worktree", "add", "--quiet", *arguments, str(tree), "HEAD~1")
    if packed:
        git(checkout, "pack-refs", "--all")
    assert commit_of(tree) == git(tree, "rev-parse", "HEAD") != commit_of(checkout)


def test_a_folder_without_git_has_none(tmp_path: Path) -> None:
    """As one that was unpacked."""
    assert commit_of(tmp_path) == ""


@needs_git
def test_a_branch_without_a_commit_has_none(tmp_path: Path) -> None:
    """It was only just made."""
    git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path) == ""


@pytest.mark.parametrize(
    "head", [b"", b"\xff\xfe\x00", b"ref:", b"ref: refs/heads/gone", b"nonsense", b"0123"]
)
def test_what_is_damaged_has_none(tmp_path: Path, head: bytes) -> None:
    """It is a fact for a report, and no reason to fail."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    (tmp_path / ".git" / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert commit_of(tmp_path) == ""


def test_a_packed_branch_is_not_one_that_ends_alike(tmp_path: Path) -> None:
    """The whole name counts."""
    git_folder = tmp_path / ".git"
    git_folder.mkdir()
    (git_folder / "HEAD").write_text("ref: refs/heads/main\n")
    lines = [f"{OTHER} refs/heads/x/refs/heads/main", f"{COMMIT} refs/heads/main", f"^{OTHER}"]
    (git_folder / "packed-refs").write_text("\n".join(lines))
    assert commit_of(tmp_path) == COMMIT


@pytest.mark.parametrize("content", ["gitdir: nowhere", "", "nonsense"])
def test_a_git_that_leads_nowhere_has_none(tmp_path: Path, content: str) -> None:
    """As a worktree whose checkout is gone."""
    (tmp_path / ".git").write_text(content)
    assert commit_of(tmp_path) == ""
