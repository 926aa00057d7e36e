"""Which cell lines each configuration was measured on: means over different ones are no comparison."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from analysis.store import Run

NAMED = 4
"""Cell lines that a sentence names; of more it says how many."""
Lines = frozenset[str]


def of_other_lines(run: Run, configs: Sequence[str]) -> dict[str, str]:
    """Configuration -> what its cell lines on val_unseen are and those of the others, where they differ on a fold, or that
    those of its seeds differ.

    The others' are those that most of `configs` have on that fold, of equally often met ones the most, and of these
    those of the first configuration. What has rows of all pairs alone may be of any cell lines, and nothing is said of
    it. Empty where all have the same, as in every sweep.
    """
    cells = run.judged()
    cells = cells[(cells["split"] == "val_unseen").to_numpy() & cells["aupr"].notna().to_numpy()]
    pairs = cells[["config", "fold", "seed", "cell_line"]].drop_duplicates()
    pairs = pairs[~pairs["cell_line"].isin(["macro", "pooled"])]
    told = dict.fromkeys(_mixed(pairs), "its seeds were measured on different cell lines: compared to none")
    pairs = pairs[["config", "fold", "cell_line"]].drop_duplicates()
    by_fold: dict[str, dict[str, Lines]] = {}
    for (fold, config), part in pairs.groupby(["fold", "config"], observed=True)["cell_line"]:
        by_fold.setdefault(str(fold), {})[str(config)] = frozenset(map(str, part))
    for lines in by_fold.values():
        known = [lines[config] for config in configs if config in lines]
        often = Counter(known)
        usual = max(known, key=lambda each: (often[each], len(each)), default=Lines())
        told |= {
            config: f"measured on {_named(lines[config])}, others on {_named(usual)}: compared to none"
            for config in configs
            if config in lines and lines[config] != usual
        }
    return told


def _mixed(pairs: pd.DataFrame) -> list[str]:
    """Configurations whose seeds differ in their cell lines on a fold."""
    of = ["config", "fold"]
    seeds = pairs.groupby(of, observed=True)["seed"].nunique()
    of_line = pairs.groupby([*of, "cell_line"], observed=True)["seed"].nunique().reset_index()
    fewer = of_line["seed"].to_numpy() < seeds.loc[pd.MultiIndex.from_frame(of_line[of])].to_numpy()
    return [str(config) for config in of_line.loc[fewer, "config"].unique()]


def _named(lines: Lines) -> str:
    names = sorted(lines)
    return " and ".join(names) if len(names) <= NAMED else f"{len(names)} cell lines"
