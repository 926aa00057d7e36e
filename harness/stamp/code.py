"""Which code made a unit: a hash over the syntax trees of every project module that a trial's process can load."""

import ast
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analysis.errors import UserError
from analysis.stamps import modules_of
from harness.config.sweep.use import UseFile, loaded
from harness.stamp.as_loaded import not_as_filed
from harness.store.writer import replace_atomically

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "harness", "analysis")
WORKER = ("harness.sweep.worker", "harness.trial.unit_run", "harness.data.store")
"""Where a trial's process begins, and where its data were encoded; what these import, and so on, is what it can have
loaded at the trial's end."""
DISCOVERED = ("models.", "harness.trial.", "analysis.rules.")
"""Packages whose modules are found by walking through them, so that no import statement names them."""
LEFT_OUT = (
    "harness.sweep",
    "harness.bench",
    "harness.runs",
    "harness.shell.terminal",
    "analysis.export",
    "analysis.output",
    "analysis.terminal",
)
"""Modules and packages that decide what runs, when, and how it is shown, and no number of a unit: none of their functions
is called while a unit is trained, continued, judged and stored."""
COUNTED = (
    "harness.sweep.cluster.packing",
    "harness.sweep.worker",
    "harness.sweep.run.bare_row",
    "harness.sweep.run.statuses",
    "harness.sweep.run.verdict",
)
"""What counts although it lies in a package of `LEFT_OUT`: a trial's process builds its units there, sets its data
type, threads and random generators, and ends them early."""


class Source(NamedTuple):
    """What one file says: the `hash` of its syntax tree without comments, docstrings and layout, and its imports as
    (levels above, module, names)."""

    hash: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Code:
    """The code of one moment: `modules` (name -> hash of its syntax tree) and their common `hash`.

    The set is what imports lead to from the worker, those inside functions included, and not what one process
    happened to load: a worker that served other trials before has loaded more, and the stamp must not depend on it.
    A module that is added is in as soon as one of these imports it; comments, docstrings and layout are out.
    """

    hash: str
    modules: Mapping[str, str]

    @classmethod
    def of(cls, root: Path = ROOT, begin: Sequence[str] = WORKER) -> "Code":
        """The code below `root` as its files are now."""
        walked = [name for name in _files(root) if name.startswith(DISCOVERED)]
        start = [*begin, *(walked if begin is WORKER else ())]
        hashes = {name: source.hash for name, source in reached(root, start).items() if not left_out(name)}
        return cls._of(hashes)

    @classmethod
    def _of(cls, hashes: Mapping[str, str]) -> "Code":
        text = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
        return cls(hashlib.sha256(text.encode()).hexdigest()[:16], hashes)

    @classmethod
    def today(cls, known: Mapping[str, Source] | None = None) -> "Code":
        """The code of this process: the project's, read once, since files that are edited later are not what it runs,
        with a module more for each that runs otherwise than its file says (`harness.stamp.as_loaded`), and what a person
        brought. `known`: the `sources()` of another process, of which none is parsed again."""
        _SOURCES.update(known or {})
        return cls._read_once().with_files(loaded())

    @classmethod
    @cache
    def _read_once(cls) -> "Code":
        code, files = cls.of(), _files(ROOT)
        others = not_as_filed({name: files[name] for name in code.modules if name in files})
        return cls._of({**code.modules, **others}) if others else code

    def with_files(self, files: Sequence[UseFile]) -> "Code":
        """This code and files that a person brought, as modules `use.NAME`; raises UserError for one that Python cannot
        read as a tree."""
        brought = {f"use.{file.name}": _brought(file) for file in files}
        return self._of({**self.modules, **brought}) if brought else self

    def save(self, run: Path) -> None:
        """RUN/code/<hash>.json, once per code, so that a later start can name what changed; and a copy of every file
        that a person brought, RUN/use/<name>-<hash>.py."""
        for brought in loaded():
            copy = run / "use" / f"{brought.name}-{brought.hash}.py"
            if not copy.exists():
                replace_atomically(copy, brought.source.encode())
        file = run / "code" / f"{self.hash}.json"
        if not modules_of(run, self.hash):
            replace_atomically(file, (json.dumps({"modules": dict(self.modules)}, indent=1) + "\n").encode())

    def changed(self, run: Path, code: str) -> list[str] | None:
        """Modules of an older code whose content is another one now, or that are gone; None where the run does not
        know which modules that code had. Modules that came later are no change of it."""
        if code == self.hash:
            return []
        old = modules_of(run, code)
        if not old:
            return None
        return sorted(name for name, value in old.items() if self._now(name) != value)

    def _now(self, name: str) -> str | None:
        if name in self.modules:
            return self.modules[name]
        file = _files(ROOT).get(name)
        return _read(file).hash if file is not None else None


def unused(run: Path) -> list[str]:
    """Names of the files that a person brought to earlier starts of a run and that this process has not loaded."""
    names = {file.stem.rpartition("-")[0] for file in (run / "use").glob("*.py")}
    return sorted(f"{name}.py" for name in names - {file.name for file in loaded()})


def left_out(name: str) -> bool:
    """Whether a module decides no number of a unit."""
    return name not in COUNTED and any(name == entry or name.startswith(entry + ".") for entry in LEFT_OUT)


def reached(root: Path, begin: Sequence[str]) -> dict[str, Source]:
    """Every project module that imports lead to from the modules `begin`."""
    files = _files(root)
    sources: dict[str, Source] = {}
    waiting = list(begin)
    while waiting:
        name = waiting.pop()
        while name and name not in files:  # `from package.module import Thing` names no module itself
            name = name.rpartition(".")[0]
        if not name or name in sources:
            continue
        sources[name] = _read(files[name])
        waiting += _imports(sources[name], files[name], name)
        waiting.append(name.rpartition(".")[0])
    return sources


def _read(file: Path) -> Source:
    return _parsed(file.read_bytes())


def _brought(file: UseFile) -> str:
    try:
        return _parsed(file.source.encode()).hash
    except RecursionError:
        raise UserError(
            f"{file.path}:1: an expression of the file is nested too deeply to be stamped"
        ) from None


_SOURCES: dict[str, Source] = {}
"""SHA-256 of a file's bytes -> what it says."""


def sources() -> Mapping[str, Source]:
    """What this process has parsed, by the SHA-256 of the bytes: to parse the project takes a second, to hash it 10 ms."""
    return dict(_SOURCES)


def _parsed(content: bytes) -> Source:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _SOURCES:
        _SOURCES[digest] = _syntax(content)
    return _SOURCES[digest]


def _syntax(content: bytes) -> Source:
    try:
        tree = ast.parse(content)
    except SyntaxError:
        return Source(hashlib.sha256(b"no python: " + content).hexdigest()[:16], ())
    imports: list[tuple[int, str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    digest = hashlib.sha256(ast.dump(_WithoutTexts().visit(tree)).encode()).hexdigest()[:16]
    return Source(digest, tuple(imports))


class _WithoutTexts(ast.NodeTransformer):
    """Drops strings that stand as statements: docstrings of modules, classes, functions and attributes."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)


def _files(root: Path) -> dict[str, Path]:
    """Every project module's name and file; of a package and a file of one name, the package, as Python does."""
    modules = {}
    for package in PACKAGES:
        for file in sorted(_below(root / package)):
            parts = file.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            if is_package or name not in modules:
                modules[name] = file
    return modules


def _below(package: Path) -> Iterator[Path]:
    """Every Python file in a package, behind links to folders as well, as Python finds them."""
    for folder, subfolders, names in os.walk(package, followlinks=True):
        at = Path(folder)
        if at.is_symlink() and at.resolve() in map(
            Path.resolve, at.absolute().parents
        ):  # it leads back to where it stands
            subfolders.clear()
            continue
        yield from (at / name for name in names if name.endswith(".py"))


def _imports(source: Source, file: Path, name: str) -> list[str]:
    """Dotted names that a module's import statements may load, wherever in it they stand."""
    package = (name if file.name == "__init__.py" else name.rpartition(".")[0]).split(".")
    names = []
    for level, said, members in source.imports:
        module = (
            ".".join([*package[: len(package) - level + 1], *([said] if said else [])]) if level else said
        )
        names += [module, *(f"{module}.{member}" for member in members)]
    return [dotted for dotted in names if dotted.split(".")[0] in PACKAGES]
