"""Which cell lines each configuration was measured on: means over different ones are no comparison."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.schema import MACRO, POOLED
from analysis.store import Run

NAMED = 4
"""Cell lines that a sentence names; of more it says how many."""
Lines = frozenset[str]


@dataclass(frozen=True)
class MeasuredOn:
    """`apart`: configuration -> what its cell lines on val_unseen are where they are not those of the compared ones, or
    that its seeds differ in them; `usual`: fold -> the lines of the compared ones."""

    apart: dict[str, str]
    usual: dict[str, Lines]


def measured_on(run: Run, configs: Sequence[str]) -> MeasuredOn:
    """Of the reported weights where they were scored, else of all epochs.

    Compared are those whose lines most of `configs` have on a fold: of equally often met ones the most lines, and of these
    those whose names come first. What has rows of all pairs alone may be of any cell lines, and nothing is said of it.
    Nothing is apart where all have the same, as in every sweep.
    """
    pairs = _lines_of_units(run)
    apart = dict.fromkeys(_mixed(pairs), "its seeds were measured on different cell lines: compared to none")
    by_fold: dict[str, dict[str, Lines]] = {}
    of_config = pairs[["config", "fold", "cell_line"]].drop_duplicates()
    for (fold, config), part in of_config.groupby(["fold", "config"], observed=True)["cell_line"]:
        by_fold.setdefault(str(fold), {})[str(config)] = frozenset(map(str, part))
    usual: dict[str, Lines] = {}
    for fold, lines in by_fold.items():
        often = Counter(lines[config] for config in configs if config in lines and config not in apart)
        ordered = sorted(often, key=lambda each: (-often[each], -len(each), sorted(each)))
        usual[fold] = ordered[0] if ordered else Lines()
        apart |= {
            config: f"measured on {_named(its)}, the compared ones on {_named(usual[fold])}: compared to none"
            for config, its in lines.items()
            if its != usual[fold] and config not in apart
        }
    return MeasuredOn(apart, usual)


def unlike_lines(run: Run, one: str, other: str) -> str:
    """Why two configurations cannot be compared by means over cell lines; empty where they can."""
    told = measured_on(run, [one, other]).apart
    return next((told[config] for config in (one, other) if config in told), "")


def _lines_of_units(run: Run) -> pd.DataFrame:
    """Rows (config, fold, seed, cell_line)."""
    cells = run.judged()
    cells = cells[(cells["split"] == "val_unseen").to_numpy() & cells["aupr"].notna().to_numpy()]
    cells = cells[~cells["cell_line"].isin([MACRO, POOLED]).to_numpy()]
    final = (cells["selection"] == "best_on_validation").to_numpy()
    scored = cells["unit"].isin(cells.loc[final, "unit"].unique()).to_numpy()
    return cells.loc[final | ~scored, ["config", "fold", "seed", "cell_line"]].drop_duplicates()


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
