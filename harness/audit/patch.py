"""A person's own sabotage: a Python file that changes the running harness."""

import ast
import runpy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.nearest_path import nearest_path
from analysis.paths import listed

SUFFIX = ".py"


@dataclass(frozen=True)
class Patch:
    """`file` is executed to `apply` it. Of its top: the first line of its docstring says what it `breaks`, `PRESET` is the
    preset that has it, and `SET` the `changes` (dotted path -> value) that switch it on; both have to be literals, since
    they are read without executing anything."""

    file: Path
    breaks: str
    preset: str | None
    changes: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> "Patch":
        """The patch in a file.

        Raises
        ------
        UserError
            for a file that cannot be read or is no Python, without a docstring, or whose PRESET or SET is none.
        """
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"--patch: there is no file {file}{nearest_path(file)}") from None
        except SyntaxError as error:
            raise UserError(f"{file} line {error.lineno}: this is no Python: {error.msg}") from None
        except (OSError, ValueError) as error:
            raise UserError(f"--patch: {file} cannot be read as text ({error})") from None
        text = ast.get_docstring(tree)
        if not text:
            raise UserError(f"{file}: expected a docstring at its top, whose first line says what it breaks")
        top = dict(_literals(file, tree))
        preset, changes = top.get("PRESET"), top.get("SET", {})
        if preset is not None and not isinstance(preset, str):
            raise UserError(f'{file}: PRESET is {preset!r}; expected a preset\'s name, as in PRESET = "rp24"')
        if not isinstance(changes, dict) or not all(isinstance(path, str) for path in changes):
            raise UserError(f'{file}: SET is {changes!r}; expected {{"dotted.path": value}}')
        return cls(file, text.splitlines()[0], preset, changes)

    def apply(self) -> None:
        """Change the harness of this process. Raises whatever the file raises."""
        runpy.run_path(str(self.file), run_name="sabotage_patch")


def patches_of(places: Sequence[Path]) -> list[Patch]:
    """The patches in files, and in folders the files whose names end in .py and begin with no underscore.

    Raises
    ------
    UserError
        for a folder without any, and for a file that is no patch.
    """
    files: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            files[place] = None
            continue
        inside = [file for file in listed(place, SUFFIX) if not file.name.startswith("_")]
        if not inside:
            raise UserError(f"--patch: {place} has no patches; expected files that end in {SUFFIX}")
        files |= dict.fromkeys(inside)
    return [Patch.read(file) for file in files]


def _literals(file: Path, tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """PRESET and SET as they are assigned at the top of a module."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if (
                isinstance(target, ast.Name)
                and target.id in ("PRESET", "SET")
                and isinstance(node, ast.Assign)
            ):
                try:
                    yield target.id, ast.literal_eval(node.value)
                except ValueError:
                    raise UserError(
                        f"{file} line {node.lineno}: {target.id} has to be written out as a literal, since it is read "
                        "before anything is executed"
                    ) from None
