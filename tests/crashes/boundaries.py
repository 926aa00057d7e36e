"""The seam at which a process may be killed: every call of Python that changes a disk."""

import builtins
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

ON_PATHS = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link", "symlink", "truncate")
"""Functions of `os` whose first argument is a path, or a name in `dir_fd`."""
ON_FILES = ("fsync", "fdatasync", "ftruncate", "write", "pwrite", "writev", "sendfile", "copy_file_range")
"""Functions of `os` whose first argument is an open file."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


Write = tuple[str, int, bytes]
Visit = Callable[[int, str, Write | None], None]


class Boundaries:
    """Counts what changes the disk below `root`, in order, and calls `visit` in front of each: with its number, its name,
    and of a write where it goes (path below `root`, position) and its bytes. What is on disk then is what a kill there
    would leave. For one process, which is to end afterwards: the functions stay replaced."""

    def __init__(self, root: Path, visit: Visit = lambda at, name, write: None) -> None:
        self.root, self.visit = os.path.realpath(root), visit
        self.names: list[str] = []
        self.opened: set[int] = set()
        """Inodes of the files that were opened to be written."""
        self._os = {name: getattr(os, name) for name in (*ON_PATHS, *ON_FILES, "open")}
        self._visiting = False

    def install(self) -> None:
        """Replace the functions of this process."""
        for name in ON_PATHS:
            setattr(os, name, self._on_path(name))
        for name in ON_FILES:
            setattr(os, name, self._on_file(name))
        os.open = self._open_file
        builtins.open = io.open = self._open
        # Copies through the kernel are writes too: by the plain way they are seen.
        shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]

    def _below(self, path: Any, dir_fd: int | None = None) -> str | None:
        """The path below `root`; None for any other, and for all while a boundary is visited."""
        if self._visiting:
            return None
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        text = os.fsdecode(path)
        if dir_fd is not None:
            text = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), text)
        absolute = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
        return os.path.relpath(absolute, self.root) if absolute.startswith(self.root + os.sep) else None

    def _reach(self, name: str, path: str, write: Write | None = None) -> None:
        """Come to a boundary."""
        self.names.append(f"{name} {path}")
        self._visiting = True
        try:
            self.visit(len(self.names) - 1, self.names[-1], write)
        finally:
            self._visiting = False

    def _on_path(self, name: str) -> Callable[..., Any]:
        real = self._os[name]

        def call(path: Any, *more: Any, **named: Any) -> Any:
            below = self._below(path, named.get("dir_fd"))
            changes = below is not None and (name == "mkdir") != os.path.lexists(
                os.path.join(self.root, below)
            )
            if below is not None and changes:
                self._reach(name, below)
            return real(path, *more, **named)

        return call

    def _on_file(self, name: str) -> Callable[..., Any]:
        real = self._os[name]

        def call(file: Any, *more: Any) -> Any:
            number = file if isinstance(file, int) else file.fileno()
            below = self._below(number)
            if below is not None and name == "write":
                self._reach(name, below, (below, os.lseek(number, 0, os.SEEK_CUR), bytes(more[0])))
            elif below is not None:
                self._reach(name, below)
            return real(file, *more)

        return call

    def _open_file(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        below = self._below(path, dir_fd) if flags & WRITING else None
        # To open what is there changes nothing yet, unless it is cut.
        changes = below is not None and (
            flags & os.O_TRUNC or not os.path.lexists(os.path.join(self.root, below))
        )
        if below is not None and changes:
            self._reach("open", below)
        number: int = self._os["open"](path, flags, mode, dir_fd=dir_fd)
        if below is not None:
            self.opened.add(os.fstat(number).st_ino)
        return number

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        """As io.open, of files below `root` that are to be written: their bytes go through `os.write`."""
        if not set("wax+") & set(mode) or self._below(file) is None:
            return _io_open(file, mode, buffering, *more, **named)
        raw = _Raw(file, mode.replace("b", "").replace("t", ""), opener=named.pop("opener", None))
        stream: Any = (
            raw if buffering == 0 else (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        )
        if "b" in mode:
            return stream
        text = dict(zip(("encoding", "errors", "newline"), more, strict=False)) | named
        return io.TextIOWrapper(stream, **text, line_buffering=buffering == 1)


_io_open = io.open


class _Raw(io.FileIO):
    """A file whose writes are calls of `os`, where they are seen."""

    def __init__(self, file: Any, mode: str, opener: Any) -> None:
        super().__init__(file, mode, opener=opener or (lambda path, flags: os.open(path, flags, 0o666)))

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self.fileno(), size)
        return size
