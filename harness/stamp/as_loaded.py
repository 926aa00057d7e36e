"""Which modules run otherwise than their files say: changed since, loaded from elsewhere, or from stale bytecode."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from harness.shell.began import BEGAN_NS


def not_as_filed(files: Mapping[str, Path]) -> dict[str, str]:
    """Module and why its file does not say what this process runs -> digest of what it runs, or of the change; of the
    modules among `files` (name -> file) that are loaded by now.

    A file that was changed (its inode's time, which nobody sets) after the process had begun to load may have been loaded
    before. Bytecode counts as its source's where Python thinks so, which looks at seconds and sizes: where it is older than
    the last change of its source, the two are compared.
    """
    return dict(_found(files))


def _found(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, file in files.items():
        module = sys.modules.get(name)
        loaded = getattr(module, "__file__", None)
        if module is None or loaded is None:
            continue
        changed = file.stat().st_ctime_ns
        if os.path.realpath(loaded) != os.path.realpath(file):
            yield f"{name} (loaded from {loaded})", _digest(Path(loaded).read_bytes())
        elif changed > BEGAN_NS:
            yield (
                f"{name} (changed after the process had begun)",
                _digest(f"{changed} {os.getpid()}".encode()),
            )
        elif (code := _stale(module, changed)) is not None:
            yield f"{name} (loaded from bytecode of another source)", _digest(repr(_content(code)).encode())


def _stale(module: ModuleType, changed: int) -> CodeType | None:
    """The bytecode that a module was loaded from, where it is another one than its source gives."""
    loader, kept = getattr(module, "__loader__", None), getattr(module, "__cached__", None)
    if not isinstance(loader, SourceFileLoader) or not kept or not os.path.exists(kept):
        return None
    if os.stat(kept).st_mtime_ns > changed:
        return None
    used = loader.get_code(module.__name__)
    source = loader.source_to_code(loader.get_data(loader.path), loader.path)
    return used if used is not None and _content(used) != _content(source) else None


def _content(code: CodeType) -> tuple[object, ...]:
    """What a code object does, without the path that it was compiled at."""
    constants = tuple(map(_constant, code.co_consts))
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, constants


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _content(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
