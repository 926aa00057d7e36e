"""A run for Python: every number that the command line prints, as data frames."""

import math
from pathlib import Path

import pandas as pd
from scipy.special import expit

from analysis.arms import arm_labels
from analysis.audit_view import verdicts
from analysis.chosen import chosen
from analysis.effects_frame import effects_frame
from analysis.errors import UserError, nearest
from analysis.flags import survey
from analysis.output import counted
from analysis.ranking import ROPE, Ranking, rank
from analysis.reported import configuration_changes
from analysis.schema import SPLITS, UNDATED
from analysis.store import KEYS, Run


def load(path: Path | str) -> "LoadedRun":
    """The run in a folder, finished or still being written.

    A relative path may also be below any folder that holds the working folder, so that a notebook finds it wherever it
    was started. Raises UserError (one sentence; nearest names) where there is no run.

    >>> run = load("runs/recorded")
    >>> run
    LoadedRun(recorded: 4 configurations, 12 units)
    """
    return LoadedRun(Run.find(path))


class LoadedRun:
    """One run, read once: all frames are of one moment; `load` it again to see what was written since.

    Every frame is a copy that may be changed. Tables of the store as they are (`docs/store.md` says what each column is):
    `run.table("epochs")`.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        units = self.run.table("units")
        configurations = counted(units["config"].nunique(), "configuration")
        return f"LoadedRun({self.run.name}: {configurations}, {counted(len(units), 'unit')})"

    def table(self, name: str) -> pd.DataFrame:
        """All rows of one table of the store; UserError with the nearest name for one that it has not.

        >>> load("runs/recorded").table("units")["status"].value_counts().to_dict()
        {'done': 12}
        """
        try:
            return self.run.table(name).copy()
        except ValueError as error:
            raise UserError(str(error)) from None

    def ranked(self, by: str | None = None, *, healthy: bool = False, rope: float = ROPE) -> Ranking:
        """The whole ranking with its baselines, warnings and notes, as figures take it (`analysis.figures`)."""
        return rank(self.run, by, healthy=healthy, rope=rope)

    def ranking(self, by: str | None = None, *, healthy: bool = False, rope: float = ROPE) -> pd.DataFrame:
        """One row per configuration, best first, by the mean over seeds on unseen validation cell lines.

        `by` is aupr (macro), pooled_aupr or nll, by default what the run was asked for (its objective); `value` with its
        95 % t-interval over seeds `low` to `high`; `short` is the beginning of the identity; `tie` is best, equal, unknown
        or worse (differences up to `rope` count as none); `test_aupr` reports and never selects; `flags` are the warnings
        raised. `healthy` leaves out configurations with a fault or a documented warning. All columns:
        `analysis.ranking.Ranking`. UserError when nothing has finished.

        >>> load("runs/recorded").ranking()[["rank", "label", "tie"]].head(1).to_dict("records")
        [{'rank': 1, 'label': 'energy=linear, ranking=1', 'tie': 'best'}]
        """
        return self.ranked(by, healthy=healthy, rope=rope).configurations.copy()

    def baselines(self, by: str | None = None) -> pd.DataFrame:
        """The baselines of the run's own data on the same folds, best first; empty where the run has none."""
        return self.ranked(by).baselines.copy()

    def effects(self, *, metric: str | None = None, rope: float | None = None) -> pd.DataFrame:
        """What each mechanism did: one row per contrast of an ablation, a factorial or a path; see
        `analysis.effects_frame.effects_frame`. Empty for a search or a grid, which name no arms.

        >>> load("runs/recorded").effects().empty
        True
        """
        return effects_frame(self.run, metric=metric, rope=rope)

    def warnings(self) -> pd.DataFrame:
        """One row per warning of a unit: the label of its configuration, rule, severity, value, limit, first epoch,
        evidence and what to try; all rules are evaluated again from the store. The epoch is NaN for what is known before
        training, and where a result does not say of which epoch it is. What could not be evaluated: `not_evaluated`.

        >>> sorted(set(load("runs/recorded").warnings()["severity"]))
        ['documented', 'fault', 'hint']
        """
        findings = self._labelled(survey(self.run).findings)
        return findings.assign(epoch=findings["epoch"].astype(float).replace(UNDATED, math.nan))

    def not_evaluated(self) -> pd.DataFrame:
        """Rules that could not be evaluated: rule, the missing input, in how many units, of how many."""
        return survey(self.run).unevaluated.copy()

    def curves(self) -> pd.DataFrame:
        """One row per epoch of every unit: label, epoch, step, loss, train_aupr, unseen_aupr (macro AUPR on val_unseen of
        the reported score, NaN where it was not evaluated) and wall_s (seconds).

        >>> load("runs/recorded").curves().columns.tolist()
        ['config', 'label', 'fold', 'seed', 'epoch', 'step', 'loss', 'train_aupr', 'unseen_aupr', 'wall_s']
        """
        cells = self.run.judged().astype({"config": str, "score": str})
        rows = cells[
            (cells["split"] == "val_unseen")
            & (cells["selection"] == "epoch")
            & (cells["cell_line"] == "macro")
        ]
        rows = rows.sort_values("score", kind="stable").drop_duplicates([*KEYS, "epoch"])
        unseen = rows[[*KEYS, "epoch", "aupr"]].rename(columns={"aupr": "unseen_aupr"})
        unseen = unseen.astype({key: self.run.table("epochs")[key].dtype for key in [*KEYS, "epoch"]})
        epochs = self.run.table("epochs").merge(unseen, on=[*KEYS, "epoch"], how="left")
        order = [
            "config",
            "label",
            "fold",
            "seed",
            "epoch",
            "step",
            "loss",
            "train_aupr",
            "unseen_aupr",
            "wall_s",
        ]
        return self._labelled(epochs)[order].sort_values([*KEYS, "epoch"], ignore_index=True)

    def predictions(self, split: str = "val_unseen", config: str | None = None) -> pd.DataFrame:
        """Every stored prediction of a split, of one configuration or of all: the pair (its number in the data), its label
        (0 or 1), u (U_I), r (R_E), t (T), logit, probability = 1 / (1 + exp(-logit)). Empty where the run stored none.

        `config` is taken by its identity, the beginning of it, or the name that is shown. UserError for a split or a
        configuration that the run has not (nearest name).

        >>> load("runs/recorded").predictions("test").columns.tolist()[-5:]
        ['r', 't', 'logit', 'branch', 'probability']
        """
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (known: {', '.join(SPLITS)})")
        rows = self.run.table("predictions")
        rows = rows[rows["split"] == split]
        wanted = None if config is None else chosen(self.run, config)
        rows = (rows if wanted is None else rows[rows["config"] == wanted]).reset_index(drop=True)
        return rows.assign(probability=expit(rows["logit"]))

    def audit(self) -> pd.DataFrame:
        """One row per mechanism, gravest verdict first: id, mechanism, verdict (the gravest of any unit), in how many
        configurations, of how many that have it, which (`configs`), and the reason. Every figure: `table("audit")`."""
        return verdicts(self.run)

    def _labelled(self, rows: pd.DataFrame) -> pd.DataFrame:
        changes = configuration_changes(self.run)
        named = arm_labels(self.run, changes, [config for config in changes if config in set(rows["config"])])
        labelled = rows.reset_index(drop=True)
        labelled.insert(1, "label", labelled["config"].map(named))
        return labelled
