"""Whether a path lies on a file system that a queue in SQLite must not share between machines."""

import re
from pathlib import Path

# Locks and shared memory, which SQLite's write-ahead log needs, do not reach from one client of
# these to another.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "ncpfs",
        "smb2",
        "smb3",
        "smbfs",
    }
)
LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.mergerfs", "fuseblk"})


def network_file_system_warning(
    path: Path, *, mounts: Path = Path("/proc/self/mounts")
) -> str | None:
    """Return a warning when `path` lies on a network file system, None when it does not.

    None too where `mounts` cannot be read: this advises, it does not guard.
    """
    try:
        lines = mounts.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    where = path.resolve()
    below, kind = Path("/"), ""
    for line in lines:
        _, mount_point, file_system, *_ = f"{line}   ".split(" ")
        mounted = Path(_unescaped(mount_point))
        # A later mount on the same point hides the earlier one.
        if where.is_relative_to(mounted) and len(mounted.parts) >= len(below.parts):
            below, kind = mounted, file_system
    if not _over_network(kind):
        return None
    return (
        f"queue {str(path)!r} lies on a network file system ({kind} at {str(below)!r}): use it "
        "from one machine only, or choose a home on a local disk with --home DIR"
    )


def _over_network(file_system: str) -> bool:
    if file_system.startswith("fuse"):
        return file_system not in LOCAL_FUSE
    return file_system in NETWORK_FILE_SYSTEMS


def _unescaped(mount_point: str) -> str:
    # The kernel writes space, tab, newline and backslash as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), mount_point)
