"""Importances of a search as text that fits 80 columns."""

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.effect_table import dim
from analysis.importance import SEED, Branch, importance
from analysis.store import Run
from analysis.terminal import many


def importance_view(run: Run) -> Iterator[RenderableType]:
    """A table per objective and branch of the search space, and what its numbers are not.

    Raises UserError as `importance`.
    """
    for each in importance(run):
        yield Text(f"\nImportance in {run.name}: {each.objective}", style="bold")
        for branch in each.branches:
            yield Text(f"\n{branch.where} ({many(branch.configurations, 'configuration')})")
            yield (_table(branch) if branch.ped_anova else dim(f"not estimated: {branch.why_not}"))
        if each.pruned:
            yield dim(f"{many(each.pruned, 'pruned configuration')} left out: they have no final value.")
    yield dim(
        "Share of the objective's variation that goes with a hyper-parameter that varies there, the largest mean of both "
        "first. PED-ANOVA: Optuna, the best "
        f"tenth against all; fANOVA: Optuna, 64 trees, seed {SEED}. They have no sign and no interval: importance is not "
        "effect. An adaptive sampler draws more where it expects more, and both see only what was drawn."
    )


def _table(branch: Branch) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("hyper-parameter", overflow="fold", max_width=44)
    table.add_column("PED-ANOVA", justify="right")
    table.add_column("fANOVA", justify="right")
    for name, ped, fanova in branch.shares:
        table.add_row(Text(name), f"{ped:.2f}", f"{fanova:.2f}")
    return table
