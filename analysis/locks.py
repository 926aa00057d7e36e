"""Locks of files (flock), by which one process knows of another, and file systems that have none."""

import errno
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""Error numbers of a lock that is asked for where there are none: NFS without its lock service, Lustre without `flock`."""


def without_locks(place: Path, error: BaseException) -> str | None:
    """What is to be said where `error` came from a file system that has no locks; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in NO_LOCKS:
        return None
    return (
        f"{place}: its file system has no locks ({error.strerror}), so that two writers would not know of each other; "
        "give a folder on one that has them, such as a local disk"
    )
