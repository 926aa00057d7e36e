"""The seams between parts: one way to a score, no mock and no swapped class in the product, no circle in the audit."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parsed import parsed, walked

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("models", "analysis", "harness")


def trees(*folders: str) -> dict[str, ast.AST]:
    """Syntax tree of every module in the folders, by its path from the root."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): parsed(path) for path in files}


def calls_of(tree: ast.AST, *methods: str) -> list[str]:
    """Methods of these names that are called, or taken to be called later, on anything."""
    return [node.attr for node in walked(tree) if isinstance(node, ast.Attribute) and node.attr in methods]


def mocks(tree: ast.AST) -> list[str]:
    """Imports of unittest or pytest."""
    names = []
    for node in walked(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return [name for name in names if name.split(".")[0] in ("unittest", "pytest")]


def swaps(tree: ast.AST) -> list[str]:
    """Assignments to the class of an object, and to a method of an imported class."""
    imported = {
        alias.asname or alias.name
        for node in walked(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    targets = [t for node in walked(tree) if isinstance(node, ast.Assign) for t in node.targets]
    return [
        ast.unparse(target)
        for target in targets
        if isinstance(target, ast.Attribute)
        and (
            target.attr == "__class__" or (isinstance(target.value, ast.Name) and target.value.id in imported)
        )
    ]


def test_one_function_takes_support_sets_to_scores() -> None:
    product = trees("models", "harness")  # analysis has no model to ask
    places = {name: calls_of(tree, "environment_of", "score") for name, tree in product.items()}
    assert {name: calls for name, calls in places.items() if calls} == {
        "models/scoring.py": ["environment_of", "score"],
        "harness/audit/present_scores.py": ["score"],  # the audit's own way, to compare that function with
    }


def test_training_prediction_and_audit_use_it() -> None:
    users = {
        name
        for name, tree in trees("harness").items()
        for node in walked(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "score_queries"
    }
    assert users == {
        "harness/trial/step/measure.py",
        "harness/trial/score/predict.py",
        "harness/audit/probe.py",
        "harness/audit/promises.py",
        "harness/audit/rescoring.py",
        "harness/bench/evaluation.py",  # the plain way, pair by pair, that scoring is measured against
        "harness/bench/port.py",  # the reference of the bench of whole sweeps
    }


@pytest.mark.parametrize("fault", [mocks, swaps])
def test_no_mock_and_no_swapped_class_in_the_product(fault: Callable[[ast.AST], list[str]]) -> None:
    found = {name: fault(tree) for name, tree in trees(*PACKAGES).items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_checks_see_what_they_look_for() -> None:
    assert calls_of(ast.parse("a = model.score(x)\nf = self.model.environment_of"), "score", "environment_of")
    assert mocks(ast.parse("def f():\n    from unittest.mock import patch")) == ["unittest.mock"]
    assert swaps(ast.parse("term.__class__ = Other")) == ["term.__class__"]
    assert swaps(ast.parse("from a import B\nB.forward = f\nb.forward = f")) == ["B.forward"]


def test_no_two_modules_of_the_audit_know_each_other() -> None:
    modules = {Path(name).stem: tree for name, tree in trees("harness/audit").items()}
    knows = {
        name: {
            alias.name if node.module == "harness.audit" else str(node.module).rsplit(".", 1)[-1]
            for node in walked(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.audit")
            for alias in node.names
        }
        for name, tree in modules.items()
    }
    while knows:
        ground = {name for name, others in knows.items() if not others & knows.keys()}
        assert ground, f"these know each other in a circle: {', '.join(sorted(knows))}"
        knows = {name: others for name, others in knows.items() if name not in ground}
