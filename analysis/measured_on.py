"""Which cell lines each configuration was measured on: means over different ones are no comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.schema import MACRO, POOLED
from analysis.store import Run

NAMED = 4
"""Cell lines that a sentence names; of more it says how many."""
Lines = frozenset[str]


class MeasuredLines:
    """The cell lines of every configuration on val_unseen, by fold: of the reported weights where they were scored, else
    of all epochs; and which of them have seeds that differ in their lines (`mixed`). What has rows of all pairs alone may
    be of any cell lines, and is in neither."""

    def __init__(self, run: Run) -> None:
        pairs = _lines_of_units(run)
        self.mixed = frozenset(_mixed(pairs))
        self.by_fold: dict[str, dict[str, Lines]] = {}
        of_config = pairs[["config", "fold", "cell_line"]].drop_duplicates()
        for (fold, config), part in of_config.groupby(["fold", "config"], observed=True)["cell_line"]:
            self.by_fold.setdefault(str(fold), {})[str(config)] = frozenset(map(str, part))

    def usual(self, configs: Sequence[str]) -> dict[str, Lines]:
        """Fold -> the lines that most of `configs` have there: of equally often met ones the most lines, and of these those
        whose names come first."""
        return {fold: self._usual(lines, configs) for fold, lines in self.by_fold.items()}

    def _usual(self, lines: Mapping[str, Lines], configs: Sequence[str]) -> Lines:
        often = Counter(lines[config] for config in configs if config in lines and config not in self.mixed)
        return min(often, key=lambda each: (-often[each], -len(each), sorted(each)), default=Lines())

    @property
    def alone(self) -> bool:
        """Whether every fold has one unseen cell line for whatever was measured there: pooled over it is within it."""
        return bool(self.by_fold) and all(
            len(of_config) == 1 for lines in self.by_fold.values() for of_config in lines.values()
        )

    def apart(self, usual: Mapping[str, Lines]) -> dict[str, str]:
        """Configuration -> why it is compared to none: its lines are others than the usual ones on a fold, or its seeds
        differ. Nobody is where all have the same, as in every sweep."""
        told = dict.fromkeys(self.mixed, "its seeds were measured on different cell lines: compared to none")
        for fold, lines in self.by_fold.items():
            for config, its in lines.items():
                if its != usual[fold]:
                    words = f"measured on {_named(its)}, the compared ones on {_named(usual[fold])}: compared to none"
                    told.setdefault(config, words)
        return told

    def unknown(self, config: str) -> str:
        """What is to be said of one that has rows of all pairs alone where others have cell lines; empty for others."""
        if not self.by_fold or any(config in lines for lines in self.by_fold.values()):
            return ""
        return "of all pairs together: of which cell lines is not known"

    def differs(self, other: "MeasuredLines", config: str) -> bool:
        """Whether a configuration was measured on other cell lines in another run, on a fold that both have."""
        return config in self.mixed | other.mixed or any(
            config in lines
            and config in other.by_fold.get(fold, {})
            and lines[config] != other.by_fold[fold][config]
            for fold, lines in self.by_fold.items()
        )

    def unlike(self, one: str, other: str) -> str:
        """Why two configurations cannot be compared by means over cell lines; empty where they can."""
        if {one, other} & self.mixed:
            return "the seeds of one were measured on different cell lines"
        for lines in self.by_fold.values():
            if one in lines and other in lines and lines[one] != lines[other]:
                return f"one was measured on {_named(lines[one])}, the other on {_named(lines[other])}"
        return ""


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
    return " + ".join(names) if len(names) <= NAMED else f"{len(names)} cell lines"
