"""How the run, its ranking and this page are made again."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from analysis.report.content import Block, Commands, Paragraph
from analysis.report.material import Material
from analysis.report.section import Section
from analysis.schema import PROVENANCE
from analysis.started_with import started_with


class Again(Section):
    """Lines for a terminal in the folder that the run was started in."""

    key: ClassVar[str] = "again"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, run = material.texts, material.run
        written = run.document(PROVENANCE)
        commit = (written.get("git") or {}).get("commit")
        started = str(written.get("folder") or "")
        folder = shlex.quote(str(_relative(run.path, started)))
        lines = [f"git checkout {commit}"] if commit else []
        lines += [shlex.join(command)] if (command := started_with(run)) else []
        lines += [
            f"python -m analysis {folder} --by {material.ranking.by.key}",
            f"python -m analysis verify {folder}",
            f"python -m analysis report {folder}",
        ]
        if not command:
            return [Paragraph(text("again.not_a_sweep")), Commands(lines)]
        shows = text("again.shows_from", folder=started) if started else text("again.shows")
        return [Paragraph(shows), Commands(lines)]


def _relative(path: Path, started: str) -> Path:
    """A path as somebody would write it in the folder that the run was started in, or in the working one."""
    here, whole = Path(started) if started else Path.cwd(), path.resolve()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole
