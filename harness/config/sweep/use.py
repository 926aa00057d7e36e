"""A person's own files: what they register is loaded once per process, here and in every worker."""

import ast
import builtins
import contextlib
import hashlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from analysis.errors import UserError
from analysis.nearest_path import nearest_path
from harness.config.sweep.imports import importing, imports, not_carried, refusal, tops
from harness.config.sweep.untouched import changes, state
from harness.config.yaml.lines import Document, read_yaml


@dataclass(frozen=True)
class UseFile:
    """A Python file as it was read, at an absolute path: its source goes where its path may not be."""

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


class UseError(UserError):
    """A mistake in a person's file that says file and line."""


_LOADED: dict[str, UseFile] = {}
"""Name of a module -> its file, in the order in which they were loaded."""


def loaded() -> tuple[UseFile, ...]:
    """The files that this process has loaded, each after those that it imports."""
    return tuple(_LOADED.values())


def with_imported(files: Iterable[UseFile]) -> list[UseFile]:
    """Loaded files and those that they import, and so on, in the order in which they were loaded."""
    wanted = {file.name for file in files}
    of_name = {file.name: {name for name, _ in imports(ast.parse(file.source))} for file in loaded()}
    while more := {name for at in wanted for name in of_name.get(at, ()) if name in of_name} - wanted:
        wanted |= more
    return [file for file in loaded() if file.name in wanted]


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
        path = path.absolute()
        try:
            file = UseFile(str(path), path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            hint = nearest_path(path, lambda beside: beside.suffix == ".py")
            raise UserError(f"{place}: there is no file {path}{hint}") from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise UseError(
                f"{path}:{line}: this is not UTF-8 ({error.reason}): save the file as UTF-8"
            ) from None
        except OSError as error:
            raise UserError(f"{place}: {path} cannot be read ({error.strerror})") from None
        if file.name in files:
            raise UserError(f"{place}: {file.name}.py is named twice; expected files of different names")
        files[file.name] = file
    return list(files.values())


def load_use(files: Iterable[UseFile]) -> None:
    """Execute each file as a module, once per process; they may import each other by their names.

    Raises
    ------
    UserError
        with file and line for one that is not Python, that raises, that registers what cannot be registered, that
        imports what no worker would have, or that changes the state of the whole process.
    """
    files = list(files)
    known = {file.name: file for file in loaded()}
    for file in files:
        if known.get(file.name, file).hash != file.hash:
            raise UseError(
                f"{file.path}:1: {known[file.name].path} of the same name and other content is in use already"
            )
    known = {file.name: file for file in files} | known
    for file in files:
        _load(file, known)


def _load(file: UseFile, known: Mapping[str, UseFile]) -> ModuleType:
    """The module of a file, executed now if it was not; `known`: the files that it may import, by name."""
    if file.module not in sys.modules:
        _execute(file, known)
        _LOADED[file.module] = file
    return sys.modules[file.module]


def _execute(file: UseFile, known: Mapping[str, UseFile]) -> None:
    try:
        tree = ast.parse(file.source, file.path)
        code = compile(tree, file.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise UseError(f"{file.path}:{error.lineno or 1}: this is not Python ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise UseError(f"{file.path}:1: this is not Python ({reason(error)})") from None
    for name, line in imports(tree):
        place = None if name in known else not_carried(name)
        if place is not None:
            raise UseError(f"{file.path}:{line}: {refusal(name, place)}")
    module = ModuleType(file.module)
    module.__file__ = file.path
    beside = importing(lambda name: _load(known[name], known) if name in known else None)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": beside}
    before, modules = state(), tops()
    sys.modules[file.module] = module
    try:
        exec(code, module.__dict__)
        _refuse_side_effects(file, before, modules)
    except BaseException as error:
        sys.modules.pop(file.module, None)
        if isinstance(error, KeyboardInterrupt | UseError):
            raise
        at = place_of(error, [file]) or f"{file.path}:1"
        raise UseError(f"{at}: the file cannot be used, {reason(error)}") from None


def _refuse_side_effects(file: UseFile, before: dict[str, object], modules: frozenset[str]) -> None:
    for what, line in changes(before, file.source):
        raise UseError(
            f"{file.path}:{line}: the file changes {what}, by which every trial would differ: leave it as it is"
        )
    for name in sorted(tops() - modules):
        place = not_carried(name)
        if place is not None:
            lines = enumerate(file.source.splitlines(), start=1)
            line = next((number for number, text in lines if name in text), 1)
            raise UseError(f"{file.path}:{line}: {refusal(name, place)}")


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """While `what` of a person's is at work: a mistake that it is told of begins with its name, and an error in a
    person's file is one with file and line. Any other error goes on as it is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from error
    except (Exception, SystemExit, GeneratorExit) as error:
        place = place_of(error)
        if not place:
            raise
        raise UserError(f"{place}: {what} ended with {reason(error)}") from error


def place_of(error: BaseException, files: Sequence[UseFile] | None = None) -> str:
    """FILE:LINE of a person's that was the last at work when the error was raised; empty where there is none."""
    paths = {file.path for file in (loaded() if files is None else files)}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in paths]
    return f"{frames[-1].filename}:{frames[-1].lineno or 1}" if frames else ""


def place_of_class(cls: type) -> str:
    """FILE:LINE of a class in a person's file, by its name; empty for a class of the project."""
    file = _LOADED.get(cls.__module__)
    if file is None:
        return ""
    nodes = ast.walk(ast.parse(file.source))
    lines = [node.lineno for node in nodes if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    return f"{file.path}:{lines[-1] if lines else 1}"


def reason(error: BaseException) -> str:
    """Type and words of an error, also of one that cannot say them."""
    said = str(traceback.TracebackException.from_exception(error))
    return f"{type(error).__name__}: {' '.join(said.split()) or 'no reason given'}"
