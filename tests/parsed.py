"""Syntax trees of the product's files, each parsed and walked once for all checks of a process."""

import ast
import json
from functools import cache
from pathlib import Path


def code(path: Path) -> str:
    """Python of a module, or of the cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(code(path))


@cache
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """The tree and every node below it, as `ast.walk` gives them."""
    return tuple(ast.walk(tree))
