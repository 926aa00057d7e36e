"""A section of a report."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from analysis.report.content import Block
from analysis.report.material import Material


class Section(ABC):
    """One concern of a report. Its sentences are those of `text/*.toml` under its `key`: `title`, and `missing`, which is
    said in its place where `blocks` returns None."""

    key: ClassVar[str]

    @abstractmethod
    def blocks(self, material: Material) -> Sequence[Block] | None:
        """What it shows of the run; None where the run has nothing for it."""
