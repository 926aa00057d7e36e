"""What the checkers are asked to refuse, they refuse; broad excepts are counted, and names mean one thing."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from tests.parsed import walked
from tests.test_seams import PACKAGES, ROOT, trees

LONGEST_NAME = 60
"""Characters of a test's name."""
BROAD = {
    "harness/audit/outcome.py": 2,
    "harness/sweep/cluster/cluster.py": 3,
    "harness/sweep/report.py": 1,
    "harness/sweep/tracking.py": 1,
    "harness/sweep/worker.py": 2,
    "harness/trial/taking.py": 2,
}
"""File -> handlers of any exception that do not raise it again: boundaries of a process, or of somebody else's code."""
REASON = re.compile(r"# noqa: BLE001  # \w+")


def broad_excepts(tree: ast.AST) -> list[int]:
    """Lines of handlers of Exception or BaseException, alone or among others, that do not raise again as they end."""
    return [
        node.lineno
        for node in walked(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        if {"Exception", "BaseException"}
        & {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)}
        if not any(isinstance(step, ast.Raise) and step.exc is None for step in ast.walk(node))
    ]


def classes(tree: ast.AST) -> list[str]:
    """Names of the classes that a module defines."""
    return [node.name for node in ast.iter_child_nodes(tree) if isinstance(node, ast.ClassDef)]


def blocks(product: dict[str, ast.AST]) -> list[str]:
    """Names of the classes that are configuration blocks, by their bases."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in product.values()
        for node in ast.iter_child_nodes(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"Block"}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return sorted(known)


def too_long(tree: ast.AST) -> list[str]:
    """Tests whose names are longer than LONGEST_NAME."""
    names = [node.name for node in walked(tree) if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("test_") and len(name) > LONGEST_NAME]


def test_no_broad_except_is_new() -> None:
    counts = {file: len(broad_excepts(tree)) for file, tree in trees(*PACKAGES).items()}
    assert {file: count for file, count in counts.items() if count} == BROAD


def test_every_broad_except_says_why_in_its_line() -> None:
    for file in BROAD:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        for number in broad_excepts(trees(file.rpartition("/")[0])[file]):
            assert REASON.search(lines[number - 1]), f"{file}:{number}"


def test_no_two_classes_of_the_product_share_a_name() -> None:
    names = Counter(name for tree in trees(*PACKAGES).values() for name in classes(tree))
    assert [name for name, count in names.items() if count > 1 and not name.startswith("_")] == []


def test_a_class_of_the_configuration_ends_in_block() -> None:
    names = blocks(trees("harness/config/blocks"))
    assert len(names) > 40
    assert [name for name in names if not name.endswith("Block")] == []


def test_names_of_tests_can_be_read_at_once() -> None:
    tests = {file: too_long(tree) for file, tree in trees("tests").items()}
    assert {file: names for file, names in tests.items() if names} == {}


def test_the_checks_see_what_they_look_for() -> None:
    handler = "try:\n    f()\nexcept {}:\n    {}"
    for kind, ends, lines in (
        ("Exception", "g()", [3]),
        ("(ValueError, BaseException) as error", "g()", [3]),
        ("Exception", "raise", []),
        ("ValueError", "g()", []),
    ):
        assert broad_excepts(ast.parse(handler.format(kind, ends))) == lines
    assert classes(ast.parse("class A:\n    class B: ...")) == ["A"]
    tree = ast.parse("class A(Block): ...\nclass C(A): ...\nclass D: ...")
    assert blocks({"x.py": tree}) == ["A", "Block", "C"]
    name = "test_" + "a" * LONGEST_NAME
    assert too_long(ast.parse(f"def {name}(): ...\ndef {name[:LONGEST_NAME]}(): ...")) == [name]


def test_a_warning_of_our_modules_fails_a_test_and_no_other(tmp_path: Path) -> None:
    warn = "import warnings\n\ndef warn():\n    warnings.warn('planted')\n"
    (tmp_path / "library.py").write_text(warn)
    for package in ("harness", "tests"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "harness" / "planted.py").write_text(warn)
    calls = {
        "library": "library.warn()",
        "harness": "harness.planted.warn()",
        "tests": "warnings.warn('planted')",
    }
    test = "import warnings\nimport harness.planted\nimport library\n"
    test += "".join(f"def test_{name}():\n    {call}\n" for name, call in calls.items())
    (tmp_path / "tests" / "test_planted.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path / "tests")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r"^(PASSED|FAILED) \S+::test_(\w+)", done.stdout, re.MULTILINE)
    verdicts = {name: verdict for verdict, name in told}
    assert verdicts == {"library": "PASSED", "harness": "FAILED", "tests": "FAILED"}, done.stdout


def test_a_warning_is_ignored_by_its_message_and_foreign_module() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries: list[str] = settings["tool"]["pytest"]["ini_options"]["filterwarnings"]
    assert entries
    for entry in entries:
        action, message, _, module = [*entry.split(":"), "", "", ""][:4]
        if action == "ignore":
            assert message, entry
            assert module, entry
            assert module.split(".")[0] not in (*PACKAGES, "tests"), entry
