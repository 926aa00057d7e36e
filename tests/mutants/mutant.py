"""What a mutant is, and where its line stands in a tree."""

from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("models", "harness", "analysis")


class MutantError(Exception):
    """A mutant that is none of this tree, in one sentence."""


@dataclass(frozen=True)
class Mutant:
    """`line` of the product, as part of a line that stands there once, becomes `wrong`; `tests` (files or ids) fail.

    The line is searched in all packages, so that files may move.
    """

    name: str
    breaks: str
    line: str
    wrong: str
    tests: tuple[str, ...]

    def file(self, tree: Path) -> Path:
        """The one file that has the line. Raises MutantError where it stands nowhere, or more than once."""
        counts = {path: path.read_text(encoding="utf-8").count(self.line) for path in sources(tree)}
        times = sum(counts.values())
        if times != 1:
            raise MutantError(
                f"mutant {self.name}: its line stands {times} times in {', '.join(PACKAGES)}: {self.line}"
            )
        return next(path for path, count in counts.items() if count)

    def apply(self, tree: Path) -> tuple[Path, str]:
        """Write the wrong line into a tree; returns the file and what it held before."""
        path = self.file(tree)
        before = path.read_text(encoding="utf-8")
        path.write_text(before.replace(self.line, self.wrong), encoding="utf-8")
        return path, before


def sources(tree: Path) -> list[Path]:
    """Every Python file of the product."""
    return sorted(path for package in PACKAGES for path in (tree / package).rglob("*.py"))
