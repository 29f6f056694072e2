"""Whether a queue's path lies on a network file system."""

from pathlib import Path

import pytest

from worker.store.mounts import network_file_system_warning

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /data nfs4 rw 0 0
/dev/vdb /data/local\\040disk xfs rw 0 0
sshfs#host /home/me/remote fuse.sshfs rw 0 0
/dev/sdb1 /media/usb fuseblk rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A table of mounts as the kernel writes it."""
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"), [("/data/queue.sqlite", "nfs4"), ("/home/me/remote/q", "fuse.sshfs")]
)
def test_a_network_file_system_is_warned_of(mounts: Path, path: str, kind: str) -> None:
    """The warning names the path, the file system, and the way out."""
    warning = network_file_system_warning(Path(path), mounts=mounts)
    assert warning is not None
    assert path in warning
    assert kind in warning
    assert "--home" in warning


@pytest.mark.parametrize(
    "path", ["/queue.sqlite", "/database/q", "/data/local disk/q", "/media/usb/q"]
)
def test_a_local_disk_is_not(mounts: Path, path: str) -> None:
    """The innermost mount counts, by whole names of folders."""
    assert network_file_system_warning(Path(path), mounts=mounts) is None


def test_a_later_mount_hides_an_earlier_one(mounts: Path) -> None:
    """Of two mounts on one point, the later is what a path leads to."""
    mounts.write_text(MOUNTS + "/dev/vdc /data ext4 rw 0 0\n")
    assert network_file_system_warning(Path("/data/q"), mounts=mounts) is None


def test_no_table_of_mounts_is_no_warning(tmp_path: Path) -> None:
    """Where mounts cannot be read, nothing is said."""
    assert network_file_system_warning(tmp_path, mounts=tmp_path / "none") is None


def test_this_machines_mounts_can_be_read() -> None:
    """The kernel's own table is understood: /proc is no network file system."""
    assert network_file_system_warning(Path("/proc/self")) is None
