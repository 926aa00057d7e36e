"""What each arm did on every unseen cell line: a map, exploratory, with a family of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.contrasts import AA, Contrast
from analysis.matched import CENSORED
from analysis.paired import PairedEffect, paired_effect
from analysis.power import holm
from analysis.schema import MACRO, POOLED, SCORES
from analysis.store import KEYS, Run


@dataclass(frozen=True)
class CellEffect:
    """Change of the AUPR on one cell line, paired by fold and seed, mean over folds, t over seeds; `p` after Holm over all
    arms and cell lines of the map."""

    arm: str
    cell_line: str
    effect: PairedEffect
    p: float


def cell_effects(run: Run, families: Mapping[str, Sequence[Contrast]]) -> list[CellEffect]:
    """Every arm (but A/A) on every unseen validation cell line that its units share with their reference; units that were
    stopped or pruned are left out."""
    rows = _cells(run)
    told: list[tuple[str, str, PairedEffect]] = []
    for contrast in (each for family, some in families.items() if family != AA for each in some):
        arm, against = (rows[rows["config"] == each] for each in (contrast.config, contrast.against))
        pairs = arm.merge(against, on=["fold", "seed", "cell_line"], suffixes=("_a", "_b"))
        pairs["difference"] = pairs["aupr_a"] - pairs["aupr_b"]
        for line, some in pairs.groupby("cell_line", observed=True):
            told.append((contrast.name, str(line), paired_effect(some.groupby("seed")["difference"].mean())))
    adjusted = holm([effect.p_t for _, _, effect in told], len(told))
    return [CellEffect(*each, p) for each, p in zip(told, adjusted, strict=True)]


def _cells(run: Run) -> pd.DataFrame:
    """config, fold, seed, cell_line, aupr of the reported weights on val_unseen, of units that ended by themselves."""
    cells, units = run.judged(), run.table("units").reset_index(drop=True)
    ended = ~units["status"].isin(CENSORED).to_numpy()
    wanted = (
        (cells["split"] == "val_unseen").to_numpy()
        & (cells["selection"] == "best_on_validation").to_numpy()
        & (cells["protocol"] == "exact").to_numpy()
        & ~cells["cell_line"].isin([MACRO, POOLED]).to_numpy()
        & (cells["unit"] >= 0).to_numpy()
    )
    rows = cells[wanted]
    rows = rows[ended[rows["unit"].to_numpy()]]
    # corrected where it was written, else U_I alone, as in the ranking.
    rows = rows.assign(order=(rows["score"] != SCORES[1]).to_numpy()).sort_values("order", kind="stable")
    rows = rows[rows["score"].isin(SCORES[:2])].drop_duplicates([*KEYS, "cell_line"])
    for name in ("config", "fold", "cell_line"):
        rows[name] = rows[name].astype(str)
    return rows[[*KEYS, "cell_line", "aupr"]]
