"""LoRA files are where a checkout looks for them, for the time of a call."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker.engines.base import LoraFile
from worker.engines.wan2gp.lora_links import PREFIX, linked
from worker.errors import EngineError

from .conftest import lora

FOLDER = "loras/wan"


def linking(
    root: Path, loras: Sequence[LoraFile], folder: str = FOLDER
) -> AbstractContextManager[list[str]]:
    """Link files for a checkout that says where its folder is."""
    return linked(loras, SimpleNamespace(get_lora_dir=lambda _: folder), "lake", root)


def written(path: Path, content: str) -> LoraFile:
    """Write a LoRA's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return lora(path)


@pytest.fixture
def style(tmp_path: Path) -> LoraFile:
    """Write a LoRA."""
    return written(tmp_path / "cache" / "style.safetensors", "a style")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a checkout."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


def links(root: Path) -> list[str]:
    """Name what is in the checkout's folder."""
    return sorted(path.name for path in (root / FOLDER).iterdir())


def test_a_file_is_found_by_its_name(root: Path, style: LoraFile) -> None:
    """In the block, and only there; the file itself stays."""
    with linking(root, [style]) as [name]:
        assert (root / FOLDER / name).read_text() == "a style"
        assert "/" not in name
    assert links(root) == []
    assert style.path.exists()


def test_files_of_one_base_name_are_two(root: Path, tmp_path: Path, style: LoraFile) -> None:
    """In their order."""
    other = written(tmp_path / "other" / "style.safetensors", "another")
    with linking(root, [style, other]) as names:
        found = [(root / FOLDER / name).read_text() for name in names]
    assert found == ["a style", "another"]


def test_a_file_that_is_used_twice_is_one(root: Path, style: LoraFile) -> None:
    """Named twice."""
    with linking(root, [style, style]) as names:
        assert len(names) == 2
        assert links(root) == sorted(set(names))
    assert links(root) == []


@pytest.mark.parametrize(
    "name", ["style", "style.bin", "style.safetensors", "a.b", "x" * 200, "雪" * 70]
)
def test_a_name_has_the_suffix_that_is_looked_for(root: Path, tmp_path: Path, name: str) -> None:
    """Once, however long its own is."""
    file = written(tmp_path / "cache" / name, "content")
    with linking(root, [file]) as [told]:
        assert told.endswith(".safetensors")
        assert told.count(".safetensors") == 1
        assert (root / FOLDER / told).read_text() == "content"


def test_links_are_removed_when_the_block_raises(root: Path, style: LoraFile) -> None:
    """As most calls end that fail."""
    with pytest.raises(KeyboardInterrupt), linking(root, [style]):
        raise KeyboardInterrupt
    assert links(root) == []


def test_a_link_that_the_engine_has_removed_is_not_missed(root: Path, style: LoraFile) -> None:
    """Nor its folder."""
    with linking(root, [style]) as [name]:
        (root / FOLDER / name).unlink()
        (root / FOLDER).rmdir()


def test_other_files_are_left(root: Path, style: LoraFile) -> None:
    """They are the operator's, however old."""
    own = written(root / FOLDER / "own.safetensors", "own")
    os.utime(own.path, (0, 0))
    with linking(root, [style]):
        pass
    assert links(root) == ["own.safetensors"]


def test_links_that_were_left_are_removed_by_their_age(root: Path, style: LoraFile) -> None:
    """A process that was killed could not; one that lives has a newer one."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for name, age_s in (("old", 2 * 86_400), ("new", 3600)):
        link = folder / f"{PREFIX}{name}.safetensors"
        link.symlink_to(style.path)
        at = time.time() - age_s
        os.utime(link, (at, at), follow_symlinks=False)
    with linking(root, [style]):
        pass
    assert links(root) == [f"{PREFIX}new.safetensors"]


def test_another_process_gives_it_another_name(root: Path, style: LoraFile) -> None:
    """Also one of the same process id, as in two containers that share a checkout."""
    asked = (
        "import os, sys; os.getpid = lambda: int(sys.argv[2])\n"
        "from pathlib import Path\n"
        "from worker.engines.wan2gp.lora_links import _name\n"
        "print(_name(Path(sys.argv[1]), Path('/folder')).name)"
    )
    command = [sys.executable, "-c", asked, str(style.path), str(os.getpid())]
    other = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    with linking(root, [style]) as [name]:
        assert other.stdout.strip().endswith("-style.safetensors")
        assert name != other.stdout.strip()


def test_a_link_of_the_same_name_is_made_anew(root: Path, style: LoraFile) -> None:
    """It may lead anywhere."""
    with linking(root, [style]) as [name]:
        pass
    (root / FOLDER / name).symlink_to(root / "nowhere")
    with linking(root, [style]) as [again]:
        assert again == name
        assert (root / FOLDER / name).read_text() == "a style"


def test_a_path_that_is_relative_leads_there_too(
    root: Path, style: LoraFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the link lies elsewhere."""
    monkeypatch.chdir(style.path.parent)
    with linking(root, [lora(Path(style.path.name))]) as [name]:
        assert (root / FOLDER / name).read_text() == "a style"


def test_a_folder_may_be_anywhere(root: Path, tmp_path: Path, style: LoraFile) -> None:
    """Where its path is absolute."""
    with linking(root, [style], str(tmp_path / "elsewhere")) as [name]:
        assert (tmp_path / "elsewhere" / name).exists()
    assert not (root / FOLDER).exists()


@pytest.mark.parametrize("module", [SimpleNamespace()])
def test_a_checkout_that_has_no_folder_gets_paths(root: Path, style: LoraFile, module: Any) -> None:
    """It takes them."""
    with linked([style], module, "lake", root) as names:
        assert names == [str(style.path)]


def test_nothing_is_made_where_there_is_no_lora(root: Path) -> None:
    """Not even a folder."""
    with linking(root, []) as names:
        assert names == []
    assert list(root.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(root: Path, style: LoraFile) -> None:
    """With what to do."""
    (root / "loras").touch()
    with pytest.raises(EngineError, match=r"folder of LoRAs .* cannot be made.*write there"):
        linking(root, [style]).__enter__()


def test_a_link_that_cannot_be_made_is_said(root: Path, tmp_path: Path, style: LoraFile) -> None:
    """Nor can the file be copied; links that were made are removed."""
    other = written(tmp_path / "other" / "other.safetensors", "another")
    with linking(root, [other]) as [name]:
        pass
    (root / FOLDER / name).mkdir()
    with pytest.raises(EngineError, match=r"other\.safetensors.* cannot be put into"):
        linking(root, [style, other]).__enter__()
    assert links(root) == [name]
