"""The sentences that source files may put together, read from their text: what a person is told, with its places filled."""

import ast
import itertools
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.parsed import parsed, walked

COUNTS = re.compile(
    r"^(len|int|max|min)\(|\.(shape\[-?\d\]|sum\(\)|steps?|epoch|index)$|^(epoch|index)$|^shapes?\[|\['index'\]$"
)
"""Expressions that are numbers, although nothing says how they are written."""
TOLD = frozenset({"Diverged", "NotInDoubleError", "RoutingError"})
"""Errors whose message is the reason of a unit or a finding; what others say is no reason."""
NAMED_FIRST = frozenset({"Breach", "StepDifference", "_once"})
"""Calls whose first argument is the name of what is told."""
DRAWS = frozenset({"rng", "generator", "stream", "stream_seed", "below_seed"})
"""Calls whose arguments name a stream of random numbers."""
WORDS = re.compile(r"[A-Za-z]{2}\W* \W*[A-Za-z]{2}")


class Sentence(NamedTuple):
    """Where it stands, a text that comes of it, and what was put into its places, each another one."""

    place: str
    text: str
    filled: tuple[str, ...]


def sentences(
    file: Path, *, only: Collection[str] = (), functions: Collection[str] = ()
) -> Iterator[Sentence]:
    """Every text of at least two words in a file that a person may be told, with its places filled; of a place that holds
    one of two texts, both. `only`: within the arguments of these calls. Docstrings are none, nor names (`NAMED_FIRST`,
    `DRAWS`), annotations, errors that are no reasons, and what stands in the `functions` of these names."""
    tree = parsed(file)
    passed = {id(node) for node in _passed(tree, functions)}
    roots = [node for node in walked(tree) if _called(node) in only] if only else [tree]
    for node in itertools.chain.from_iterable(map(ast.walk, roots)):
        if id(node) in passed or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
            for parts in _texts(node):
                numbered = _Places()
                text = "".join(numbered.filled(part) for part in parts)
                if " " in text and WORDS.search(" ".join(part for part in parts if part not in KINDS)):
                    yield Sentence(f"{file.name}:{node.lineno}", text, tuple(numbered.made))


NAME, NUMBER, SIGNED, PERCENT = "\0name", "\0number", "\0signed", "\0percent"
KINDS = frozenset({NAME, NUMBER, SIGNED, PERCENT})
"""What stands in a place: a figure as its format writes it, and anything else."""


class _Places:
    """What places are filled with, one after the other."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def filled(self, part: str) -> str:
        if part not in KINDS:
            return part
        at = len(self.made) + 1
        forms = {NAME: f"x.y_{at}", NUMBER: f"0.{at}5", SIGNED: f"+{at}.5", PERCENT: f"{at}.00%"}
        self.made.append(forms[part])
        return forms[part]


def _passed(tree: ast.AST, functions: Collection[str]) -> Iterator[ast.AST]:
    """Nodes of texts that are told to nobody, or are parts of another one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from (inner for inner in ast.walk(node) if inner is not node)
        elif isinstance(node, ast.Assert) or (isinstance(node, ast.Raise) and _called(node.exc) not in TOLD):
            yield from ast.walk(node)
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield from ast.walk(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            yield from ast.walk(node) if node.name in functions else ()
            yield from ast.walk(node.returns) if node.returns is not None else ()
        elif _called(node) in DRAWS:
            yield from ast.walk(node)
        elif isinstance(node, ast.Call) and _called(node) in NAMED_FIRST and node.args:
            yield from ast.walk(node.args[0])


def _called(node: ast.AST | None) -> str:
    """Name of what a call calls; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _texts(node: ast.expr) -> list[tuple[str, ...]]:
    """What comes of a text, in parts of which some are of KINDS."""
    if isinstance(node, ast.Constant):
        return [
            tuple(NAME if part.startswith("{") else part for part in re.split(r"(\{\w+\})", str(node.value)))
        ]
    if isinstance(node, ast.JoinedStr):
        return [tuple(itertools.chain(*parts)) for parts in itertools.product(*map(_texts, node.values))]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    if isinstance(node, ast.FormattedValue):
        return _texts(node.value) if node.format_spec is None else [(_figure(ast.unparse(node.format_spec)),)]
    counted = isinstance(node, ast.BinOp) or COUNTS.search(ast.unparse(node))
    return [(NUMBER if counted else NAME,)]


def _figure(form: str) -> str:
    """A number as a format writes it."""
    return SIGNED if "+" in form else PERCENT if "%" in form else NUMBER
