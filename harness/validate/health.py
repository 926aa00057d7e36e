"""The units of the trials, and which of them are healthy: decided without any rule, by measurements and documents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.rules import UnitRecords
from analysis.rules.chance import BOUND, hanley_mcneil
from analysis.schema import MACRO, POOLED
from analysis.store import KEYS, Run
from harness.validate.lesson import Lesson
from harness.validate.recipes import RECIPES
from harness.validate.trials import SmallTrial, lessons_of

DROWNED = "drowned"
"""Verdict of the audit that has part in no decision on health: the witness of weights without effect."""
AT_FAULT = {"inert", "leaking"}
"""Verdicts of the audit on a configuration that is not healthy."""
TABLES = ("epochs", "terms", "mechanisms", "reports", "audit")
Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class TrialUnit:
    """One unit as it was trained: its records as rules read them, and its `scores` of unseen pairs (label, cell_line, u
    and logit, each [N]). `recipe`: its name among the trials; `half`: 0 where limits are tuned on its configuration, 1
    where figures are reported; `drowned`: whether the audit of its configuration says so of a term; `lesson`: what its
    Teacher and its Student are worth, None without a Teacher; `seconds` of processor time that it took."""

    name: str
    recipe: str
    form: str
    half: int
    records: UnitRecords
    scores: dict[str, np.ndarray]
    drowned: bool = False
    lesson: Lesson | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class EndedTrials:
    """Of so many trials that `ended`: the `healthy` ones, those that are so but for the fault that their recipe is bound to
    have, and those that are so but for the audit, which calls something of their configuration inert or leaking."""

    healthy: list[TrialUnit]
    faulty: list[TrialUnit]
    accused: list[TrialUnit]
    ended: int

    def of(self, unit: TrialUnit, verdicts: set[str]) -> list[TrialUnit]:
        """Those among which a unit counts that has learnt."""
        if RECIPES[unit.recipe].fault:
            return self.faulty
        return self.accused if verdicts & AT_FAULT else self.healthy


def ended_trials(arms: Sequence[SmallTrial]) -> EndedTrials:
    """The trials of arms that have ended. Of an arm the audits of all seeds count for each of them: what is dead in one is
    dead in all. Units that nobody has audited, or that have not learnt, are of none; those of what is no recipe any longer
    are left alone."""
    trials = EndedTrials([], [], [], 0)
    for place in {id(arm.place): arm.place for arm in arms}.values():
        if not (place.run.path / "units").is_dir():
            continue
        of_arm = {arm.config.id: arm for arm in arms if arm.place is place}
        run = Run.open(place.run.path)
        verdicts = run.table("audit").groupby("config")["verdict"].agg(set).to_dict()
        asked = lessons_of(place)
        for row, tables, predictions in _units(run):
            if row["config"] not in of_arm:
                continue
            trials = replace(trials, ended=trials.ended + 1)
            arm, said = of_arm[row["config"]], verdicts.get(row["config"], set())
            unit_name = "-".join(str(row[key]) for key in KEYS)
            if unit_name not in asked or not said or not has_learnt(row, tables["cells"]):
                continue
            unit = TrialUnit(
                f"{place.name}/{row['config']}-{row['seed']}",
                arm.recipe,
                place.form,
                arm.half,
                UnitRecords(row, **tables),
                {name: predictions[name].to_numpy() for name in ("label", "cell_line", "u", "logit")},
                DROWNED in said,
                *asked[unit_name],
            )
            trials.of(unit, said).append(unit)
    return trials


def has_learnt(row: Row, cells: Iterable[Row]) -> bool:
    """Finished, and the lower 95 % bound of U_I's unseen AUC above 0.5. The AUC is the mean over cell lines weighted by
    pairs."""
    if row["status"] != "done":
        return False
    alone = [
        each for each in cells if each["score"] == "u_only" and each["selection"] == "best_on_validation"
    ]
    lines = [each for each in alone if each["cell_line"] not in (MACRO, POOLED)]
    pooled = [each for each in alone if each["cell_line"] == POOLED]
    if not lines or not pooled:
        return False
    pairs, positives, auc = (
        np.array([each[name] for each in lines], dtype=np.float64) for name in ("n", "positives", "auc")
    )
    error = np.sum((pairs * hanley_mcneil(0.5, positives, pairs - positives)) ** 2) ** 0.5 / pairs.sum()
    lower = np.average(auc, weights=pairs) - BOUND * error * pooled[0]["auc_design_effect"] ** 0.5
    return bool(lower > 0.5)


def _units(run: Run) -> Iterable[tuple[Row, dict[str, Any], pd.DataFrame]]:
    """Every unit that has ended: its row, its rows of the tables that rules read, and its scores of unseen pairs."""
    cells = run.table("cells")
    judged = cells["selection"].isin(["epoch", "best_on_validation"]) & (cells["split"] == "val_unseen")
    frames = {name: run.table(name) for name in TABLES}
    frames["cells"] = cells[judged & (cells["prevalence_mode"] == "as_found")]
    groups = {name: dict(list(frame.groupby(KEYS))) for name, frame in frames.items()}
    predictions = run.table("predictions")
    scored = dict(list(predictions[predictions["split"] == "val_unseen"].groupby(KEYS)))
    baselines: Any = run.table("baselines").query("split == 'val_unseen'").to_dict("records")
    rows: Any = run.table("units").sort_values(KEYS).to_dict("records")
    for row in rows:
        key: Key = tuple(row[name] for name in KEYS)
        if row["status"] != "running" and key in scored:
            tables = {
                name: each[key].to_dict("records") if key in each else [] for name, each in groups.items()
            }
            yield row, {**tables, "baselines": baselines}, scored[key]
