"""The map of arms by cell lines as text that fits 80 columns."""

import math
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.cell_effects import CellEffect, cell_effects
from analysis.contrasts import Contrast
from analysis.effect_table import dim
from analysis.power import ALPHA
from analysis.store import Run

ACROSS = 6
"""Cell lines beside each other; more stand in further tables."""


def cell_view(run: Run, families: Mapping[str, Sequence[Contrast]]) -> Iterator[RenderableType]:
    """Change of the AUPR of each arm on each unseen cell line, and what may be read from it."""
    effects = cell_effects(run, families)
    if not effects:
        yield dim("no cell line has a number of an arm and of its reference on the same fold and seed")
        return
    lines = sorted({each.cell_line for each in effects})
    known = {(each.arm, each.cell_line): each for each in effects}
    yield Text("\nChange of AUPR per unseen cell line: exploratory, a family of its own", style="bold")
    for first in range(0, len(lines), ACROSS):
        some = lines[first : first + ACROSS]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        table.add_column("arm", overflow="fold", max_width=24)
        for line in some:
            table.add_column(line, justify="right", overflow="fold", max_width=9)
        for arm in dict.fromkeys(each.arm for each in effects):
            table.add_row(Text(arm), *(_cell(known.get((arm, line))) for line in some))
        yield table
    yield dim(
        f"*: p below {ALPHA:g}, t over seeds, Holm over the {len(effects)} numbers of the map. A rank-invariant energy "
        "cannot change it."
    )


def _cell(effect: CellEffect | None) -> str:
    mean = math.nan if effect is None else effect.effect.interval.mean
    if effect is None or math.isnan(mean):
        return ""
    return f"{mean:+.3f}{'*' if effect.p < ALPHA else ''}"
