"""A person's own files: what they register is loaded once per process, here and in every worker."""

import contextlib
import hashlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from analysis.errors import UserError
from harness.config.yaml.lines import Document, read_yaml


@dataclass(frozen=True)
class UseFile:
    """A Python file as it was read: its source goes where its path may not be."""

    path: str
    source: str

    @property
    def name(self) -> str:
        """Its name without `.py`; of the files of one process no two have the same."""
        return Path(self.path).stem

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the source."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]

    @property
    def module(self) -> str:
        """The name under which it is a module."""
        return f"use_{self.name}_{self.hash}"


_LOADED: dict[str, UseFile] = {}


def loaded() -> tuple[UseFile, ...]:
    """The files that this process has loaded, in that order."""
    return tuple(_LOADED.values())


def use_of(document: Document) -> list[UseFile]:
    """Read the files that the `use` of a sweep's YAML names, beside which they are looked for; none where `use` is no
    list of words, which the checks of the blocks say."""
    names = document.data.get("use", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return []
    return read_use(
        [document.file.parent / Path(name).expanduser() for name in names],
        [f"{document.where(f'use.{position}')}: use" for position in range(len(names))],
    )


def use_of_sweep(path: Path) -> list[UseFile]:
    """`use_of` the YAML at `path`."""
    return use_of(read_yaml(path))


def read_use(paths: Sequence[Path], where: Sequence[str]) -> list[UseFile]:
    """Read Python files; `where` says of each who named it.

    Raises
    ------
    UserError
        for a file that is not there or cannot be read as text, that is no `.py`, and for two of one name.
    """
    files: dict[str, UseFile] = {}
    for path, place in zip(paths, where, strict=True):
        if path.suffix != ".py":
            raise UserError(f"{place}: {path} is no Python file; expected a name that ends in .py")
        try:
            file = UseFile(str(path), path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{place}: there is no file {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{place}: {path} cannot be read as text ({error})") from None
        if file.name in files:
            raise UserError(f"{place}: {file.name}.py is named twice; expected files of different names")
        files[file.name] = file
    return list(files.values())


def load_use(files: Iterable[UseFile]) -> None:
    """Execute each file as a module, once per process.

    Raises
    ------
    UserError
        with file and line for one that is not Python, that raises, or that registers what cannot be registered.
    """
    for file in files:
        if file.hash not in _LOADED:
            _execute(file)
            _LOADED[file.hash] = file


def _execute(file: UseFile) -> None:
    module = ModuleType(file.module)
    module.__file__ = file.path
    try:
        code = compile(file.source, file.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise UserError(f"{file.path}:{error.lineno or 1}: this is not Python ({error.msg})") from None
    except ValueError as error:
        raise UserError(f"{file.path}:1: this is not Python ({error})") from None
    sys.modules[file.module] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a person's code may raise anything
        del sys.modules[file.module]
        line = place_of(error, [file]) or f"{file.path}:1"
        raise UserError(f"{line}: the file cannot be used, {_reason(error)}") from None


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """While `what` of a person's is at work: a mistake that it is told of begins with its name, and an error in a
    person's file is one with file and line. Any other error goes on as it is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from error
    except Exception as error:
        place = place_of(error)
        if not place:
            raise
        raise UserError(f"{place}: {what} ended with {_reason(error)}") from error


def place_of(error: BaseException, files: Sequence[UseFile] | None = None) -> str:
    """FILE:LINE of a person's that was the last at work when the error was raised; empty where there is none."""
    paths = {file.path for file in (loaded() if files is None else files)}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in paths]
    return f"{frames[-1].filename}:{frames[-1].lineno or 1}" if frames else ""


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"
