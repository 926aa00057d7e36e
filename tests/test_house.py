"""The house stays as it was built: arrows between packages, short files, documented rows, no hidden failures."""

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.rules import RULES
from models.registry import Registry
from tests.parsed import parsed, walked

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("models", "analysis", "harness")
FOLDERS = (*PACKAGES, "tests", "search_spaces", ".ci")
LONGEST = 400
REASONS: dict[str, str] = {}
"""File longer than LONGEST lines -> why it has to be."""
PACKAGES_CHECKED = ("harness", "models", "analysis")
"""Packages whose names and docstrings are checked."""
VAGUE = frozenset({"own", "found", "given"})
"""Names that do not say what they hold."""
LONGEST_DOCSTRING = 12
LONG_DOCSTRINGS: dict[str, str] = {}
"""`file: name` of a docstring longer than LONGEST_DOCSTRING lines -> why it has to be."""
FORBIDDEN = {
    "analysis": {"torch", "ray", "harness", "models", "tests"},
    "harness": {"tests"},
}
"""What a package may not import; `models` may import torch, the standard library and itself, nothing else."""
ROOMS = {
    "harness": (
        "shell",
        "config",
        "store",
        "stamp",
        "data",
        "baselines",
        "shortcuts",
        "trial",
        "trained",
        "mechanisms",
        "design",
        "audit",
        "single",
        "sweep",
        "runs",
        "predict",
        "bench",
        "chaos",
        "validate",
    ),
    "harness.config": ("yaml", "blocks", "space", "sweep"),
    "harness.trial": ("episodes", "step", "score"),
    "harness.sweep": ("cluster", "run", "show", "search"),
}
"""A package -> its rooms from the ground up: a room may import those before it, and none after it. Files that lie in the
package itself stand above all of its rooms."""


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def texts() -> Iterator[Path]:
    """Every text file of the project, generated and downloaded ones apart."""
    kinds = {".py", ".yaml", ".json", ".ipynb", ".toml", ".txt", ".md", ".svg", ".html", ""}
    inside = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    for path in (*inside, *sorted(ROOT.iterdir())):
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts:
            yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of all imports, inside functions and by import_module too; relative ones are one's own."""
    found = set()
    for node in walked(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "find_spec"):
                found.add(str(node.args[0].value).split(".")[0])
    return found


def swallowed(tree: ast.AST) -> list[int]:
    """Lines where a failure vanishes: a bare except, a handler without a statement, suppress(Exception)."""
    lines = []
    for node in walked(tree):
        if isinstance(node, ast.ExceptHandler):
            idle = all(
                isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
                for s in node.body
            )
            if node.type is None or idle:
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
            whole = {"Exception", "BaseException"} & {ast.unparse(argument) for argument in node.args}
            lines += [node.lineno] * bool(whole)
    return lines


REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.(?:org|com)|artifactory|devpi|"
    r"registry\.npmjs|--(?:extra-)?index-url|--find-links|PIP_INDEX_URL",
    re.IGNORECASE,
)
PLACE = re.compile(r"(?<![\w.~}/])/(?:work|opt|home|root|tmp|mnt|srv|Users|var/tmp)/\w")


def addresses(text: str) -> list[str]:
    """Addresses of package registries, and absolute paths of one machine."""
    found = [match.group() for pattern in (REGISTRY, PLACE) for match in pattern.finditer(text)]
    return found + ([str(ROOT)] if str(ROOT) in text else [])


def test_models_import_torch_the_standard_library_and_themselves() -> None:
    allowed = {"models", "torch", *sys.stdlib_module_names}
    found = {name(path): imported(parsed(path)) - allowed for path in sources("models")}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("package", FORBIDDEN)
def test_arrows_point_one_way(package: str) -> None:
    files = [*sources(package), *sorted((ROOT / package).rglob("*.ipynb"))]
    assert files
    found = {name(path): imported(parsed(path)) & FORBIDDEN[package] for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def arrows(package: str, root: Path = ROOT) -> set[tuple[str, str, str]]:
    """(room, room that it imports, file) of a package, each at the depth right below it; a file of the package itself is
    the room ""."""
    folder = root / package.replace(".", "/")
    depth = package.count(".") + 1
    pairs = set()
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        room = parts[0] if len(parts) > 1 else ""
        for node in walked(parsed(path)):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                function = ast.unparse(node.func).split(".")[-1]
                if function in ("import_module", "__import__", "find_spec"):
                    modules = [str(node.args[0].value)]
            for module in modules:
                if module.startswith(package + "."):
                    below = module.split(".")[depth]
                    other = below if (folder / below).is_dir() else ""
                    pairs |= {(room, other, path.relative_to(root).as_posix())} if room != other else set()
    return pairs


@pytest.mark.parametrize("package", ROOMS)
def test_arrows_between_rooms_point_down(package: str) -> None:
    order = (*ROOMS[package], "")
    folders = {path.parent.name for path in (ROOT / package.replace(".", "/")).glob("*/__init__.py")}
    assert set(ROOMS[package]) == folders, "every room has its place in the order"
    up = {(a, b, file) for a, b, file in arrows(package) if order.index(a) < order.index(b)}
    assert up == set()


def test_every_package_of_rooms_has_an_order() -> None:
    inner = {path.parent.parent for path in (ROOT / "harness").rglob("__init__.py")}
    packages = {name(folder).replace("/", ".") for folder in inner if (folder / "__init__.py").exists()}
    assert packages == set(ROOMS)


BY_NAME = {
    "harness/config/blocks/design.py": "designs enter themselves when one is chosen",
    "harness/config/blocks/training.py": "samplers and balances enter themselves when one is chosen",
    "harness/data/__main__.py": "the command report stands on baselines, and is one of this command line",
    "harness/stamp/code.py": "which modules a worker begins with, and which decide no number",
}
"""File that names a room above its own in a string -> why; nothing but what registers itself there, or a command
that is resolved as it is asked for, comes of it."""


def test_rooms_above_are_named_for_a_reason_only() -> None:
    order = ROOMS["harness"]
    named = set()
    for path in sources("harness"):
        room = path.relative_to(ROOT / "harness").parts[0]
        words = {node.value for node in walked(parsed(path)) if isinstance(node, ast.Constant)}
        rooms = {str(word).split(".")[1] for word in words if re.fullmatch(r"harness(\.\w+)+\.?", str(word))}
        if room in order and any(order.index(room) < order.index(each) for each in rooms & set(order)):
            named.add(name(path))
    assert named == set(BY_NAME)


def test_an_arrow_that_points_up_is_seen(tmp_path: Path) -> None:
    for name, text in (("low", "from harness.high.x import y"), ("high", "import harness.low.x")):
        (tmp_path / "harness" / name).mkdir(parents=True)
        (tmp_path / "harness" / name / "x.py").write_text(f"def f():\n    {text}\n")
    assert arrows("harness", tmp_path) == {
        ("low", "high", "harness/low/x.py"),
        ("high", "low", "harness/high/x.py"),
    }


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*FOLDERS)}
    assert {path: n for path, n in lengths.items() if n > LONGEST and path not in REASONS} == {}
    assert {path for path in REASONS if lengths.get(path, 0) <= LONGEST} == set(), "a reason without need"


def bound(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a tree binds, with its line: parameters, variables, attributes, functions, classes, aliases."""
    for node in walked(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            yield node.name, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def docstrings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and length in lines of every docstring of a module, its classes and its functions."""
    for node in walked(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", "module"), len(text.splitlines())


def test_names_say_what_they_hold() -> None:
    vague = {
        f"{name(path)}:{line}: {word}"
        for path in sources(*PACKAGES_CHECKED)
        for word, line in bound(parsed(path))
        if word in VAGUE
    }
    assert vague == set()


def test_docstrings_are_short() -> None:
    lengths = {
        f"{name(path)}: {owner}": lines
        for path in sources(*PACKAGES_CHECKED)
        for owner, lines in docstrings(parsed(path))
        if lines > LONGEST_DOCSTRING
    }
    assert {place: lines for place, lines in lengths.items() if place not in LONG_DOCSTRINGS} == {}
    assert set(LONG_DOCSTRINGS) <= set(lengths), "a reason without need"


def registries() -> dict[str, Registry[object]]:
    """Every registry of the project by its kind, filled by importing all modules."""
    found: dict[str, Registry[object]] = {}
    for package in ("models", "harness.trial", "harness.baselines"):
        top = importlib.import_module(package)
        for module in pkgutil.walk_packages(top.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                members = vars(importlib.import_module(module.name)).values()
                found |= {member.kind: member for member in members if isinstance(member, Registry)}
    return found


def test_every_registry_row_has_its_texts_and_a_docstring() -> None:
    tables = registries()
    assert len(tables) >= 6
    for kind, registry in tables.items():
        assert registry.keys(), f"{kind} has no row"
        for row in registry:
            for field in ("id", "key", "name", "equation", "shapes", "source"):
                assert getattr(row, field).strip(), f"{kind} '{row.key}' lacks {field}"
            assert (row.cls.__dict__.get("__doc__") or "").strip(), f"{kind} '{row.key}': no docstring"
            if kind != "baseline":
                assert re.fullmatch(r"M\d\d", row.id), f"{kind} '{row.key}': id {row.id} is no mechanism's"


def test_every_warning_rule_has_its_texts_and_a_mark() -> None:
    for key, rule in RULES.items():
        assert rule.id == key
        assert key in rule.limits
        for text in (rule.condition_text, rule.source, rule.advice, type(rule).__dict__.get("__doc__")):
            assert (text or "").strip(), key
    assert all(len(rule.mark) == 1 for rule in RULES.values())
    assert len({rule.mark for rule in RULES.values()}) == len(RULES)


def test_no_failure_is_swallowed() -> None:
    found = {name(path): swallowed(parsed(path)) for path in sources(*PACKAGES, "tests")}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    own = Path(__file__).resolve()
    found = {name(path): addresses(path.read_text(encoding="utf-8")) for path in texts() if path != own}
    assert len(found) > 100
    assert {path: places for path, places in found.items() if places} == {}


def test_the_checks_see_what_they_look_for() -> None:
    hidden = (
        "def f():\n    import torch.nn\n    from ray import tune\n    import_module('harness.design.plan')\n"
    )
    assert imported(ast.parse(hidden)) == {"torch", "ray", "harness"}
    assert imported(ast.parse("from . import x\nfrom .a import b")) == set()
    assert swallowed(ast.parse("try:\n    f()\nexcept ValueError:\n    pass")) == [3]
    assert swallowed(ast.parse("try:\n    f()\nexcept:\n    g()")) == [3]
    assert swallowed(ast.parse("with suppress(Exception):\n    f()")) == [1]
    assert swallowed(ast.parse("try:\n    f()\nexcept ValueError:\n    g()")) == []
    binding = (
        "def f(a, *own, given=0):\n    found = self.given = a\n    for own, b in a:\n        given()\n"
        "class C:\n    found: int\n    def own(self): ...\n"
    )
    words = sorted((line, word) for word, line in bound(ast.parse(binding)) if word in VAGUE)
    assert words == [
        (1, "given"),
        (1, "own"),
        (2, "found"),
        (2, "given"),
        (3, "own"),
        (6, "found"),
        (7, "own"),
    ]
    texts = "def f():\n    'one'\n" + "class C:\n    'a" + "\\n" * 12 + "b'\n"
    assert list(docstrings(ast.parse(texts))) == [("f", 1), ("C", 13)]
    assert addresses("see /home/me/x, --index-url https://pypi.org/simple") == [
        "--index-url",
        "pypi.org",
        "/home/m",
    ]
    assert addresses("../shared/data, runs/tmp/x, https://example.org/home/x and Path('/tmp')") == []
