"""What a person's file may import: what is installed, the project, and by their names the other files under `use`."""

import ast
import builtins
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PROJECT = ("models", "harness", "analysis")


def importing(beside: Callable[[str], ModuleType | None]) -> Callable[..., Any]:
    """`__import__` for a file under `use`: a name for which `beside` has the module of another such file is that
    module, and any other name is what it is everywhere."""

    def imported(
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] = (), level: int = 0
    ) -> Any:
        module = beside(name) if level == 0 else None
        if module is not None:
            return module
        return builtins.__import__(name, globals, locals, fromlist, level)

    return imported


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(first word of the module's name, line) of every import statement, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def not_carried(name: str) -> Path | None:
    """Where the module or package `name` lies, if that is no place that every worker has and no stamp knows of; None
    for one that is installed or the project's, and for one that there is not."""
    try:
        spec = importlib.util.find_spec(name)
    except (ValueError, ImportError):
        return None
    if spec is None:
        return None
    places = (
        [spec.origin] if spec.has_location and spec.origin else [*(spec.submodule_search_locations or ())]
    )
    for place in map(Path, places):
        inside = any(place.resolve().is_relative_to(folder) for folder in _carried())
        if not inside and name not in packages_distributions():
            return place
    return None


def refusal(name: str, place: Path) -> str:
    """Why a file that imports the module `name` at `place` cannot be used, and what to do."""
    lies = place.parent if place.name == "__init__.py" else place
    instead = (
        f"list {lies.name} under `use` too"
        if lies.suffix == ".py"
        else "expected it installed, or one file under `use`"
    )
    return f"it imports {name} ({lies}), which is neither stamped nor carried to workers: {instead}"


def tops() -> frozenset[str]:
    """First words of the names of all modules of this process."""
    return frozenset(name.partition(".")[0] for name in [*sys.modules])


@cache
def _carried() -> tuple[Path, ...]:
    """Folders of what is installed, and of the project."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return (*(Path(folder).resolve() for folder in folders), *(ROOT / package for package in PROJECT))
