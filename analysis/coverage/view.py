"""Measured coverage as a table that fits 80 columns."""

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.coverage.measure import Share, family_error, fold_coverage, seed_coverage
from analysis.effect_table import dim


def coverage_view(replicates: int) -> Iterator[RenderableType]:
    """Tables as they are measured: seeds, folds, and findings among arms that do nothing."""
    yield _table("Coverage of the 95 % t over seeds: these cell lines and loci", seed_coverage(replicates))
    yield _table("Coverage over folds: a new cell line", fold_coverage(replicates))
    yield _table("Families of arms that do nothing with a finding (Holm, 5 %)", family_error(replicates))
    yield dim(f"{replicates:,} replicates a row; ±: Monte Carlo standard error.")


def _table(title: str, shares: list[Share]) -> RenderableType:
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for heading in ("of", "cell", "share", "±"):
        table.add_column(heading, justify="right" if heading in ("share", "±") else "left")
    for each in shares:
        table.add_row(each.what, each.cell, f"{100 * each.share:.1f} %", f"{100 * each.error:.1f}")
    return table
