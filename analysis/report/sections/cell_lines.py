"""The ranked configurations in every unseen cell line."""

import math
from collections.abc import Sequence
from typing import ClassVar

from analysis.report.content import Block, Heat, Paragraph
from analysis.report.material import Material
from analysis.report.section import Section


class PerCell(Section):
    """AUPR per configuration and cell line, mean over seeds and folds, as a heat map."""

    key: ClassVar[str] = "cells"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        cells = material.cells
        means = cells[cells["config"].isin(material.shown)].pivot_table(
            index="config", columns="cell_line", values="aupr", aggfunc="mean"
        )
        if means.empty:
            return None
        order = [config for config in material.shown if config in means.index]
        means = means.loc[order]
        lowest, highest = float(means.min().min()), float(means.max().max())
        width = max(highest - lowest, 1e-9)
        rows = []
        for config, values in zip(order, means.to_numpy(dtype=float), strict=True):
            known = [None if math.isnan(value) else float(value) for value in values]
            shades = [None if value is None else (value - lowest) / width for value in known]
            rows.append((material.named(config), known, shades))
        text = material.texts
        blocks: list[Block] = [
            Heat(
                text("cells.shows", low=f"{lowest:.3f}", high=f"{highest:.3f}"),
                [str(line) for line in means.columns],
                rows,
            )
        ]
        absent = len(material.rows) - cells["config"].nunique()
        if absent:
            said = text("cells.absent", n=text.count("configuration", absent))
            blocks.append(Paragraph(said, tone="quiet"))
        return blocks
