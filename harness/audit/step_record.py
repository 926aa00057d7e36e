"""What the store has of an epoch's steps, against the steps themselves."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.schema import MACRO
from harness.audit.finding import MechanismFinding
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.inspection import Subject
from harness.trial.step.trainer import StepLog

SAME = 1e-6
"""Difference of a number that is rounding, relative to 1 + its size."""
Row = Mapping[str, Any]


@dataclass
class EpochSums:
    """Of the steps of an epoch so far: their number, sums by column of `epochs`, of each term the sum of its values and the
    numbers of steps with a value, in force and acting; the last log; what terms in force reported after it."""

    steps: int = 0
    columns: dict[str, float] = field(default_factory=dict)
    terms: dict[str, list[float]] = field(default_factory=dict)
    last: StepLog | None = None
    reports: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, log: StepLog) -> None:
        self.steps, self.last = self.steps + 1, log
        for name, value in {"loss": log.loss, "grad_norm": log.grad_norm, **log.state}.items():
            self.columns[name] = self.columns.get(name, 0.0) + value
        for term, value in log.values.items():
            sums = self.terms.setdefault(term, [0.0, 0, 0, 0])
            in_force = log.weights.get(term, 0.0) != 0
            for at, part in enumerate((value, 1, in_force and value != 0, in_force)):
                sums[at] += part


class StepRecord:
    """Listens to the steps of a unit; `ended` compares the rows of `epochs`, `terms` and `reports` of each epoch whose
    steps were all seen here."""

    def __init__(self, subject: Subject) -> None:
        self.trainer, self.codes = subject.trainer, subject.codes
        self.steps = subject.sampler.steps
        self.lines = [subject.trainer.dataset.cell_lines[code] for code in subject.codes]
        self.config = subject.config
        self.epochs: dict[int, EpochSums] = {}
        self.epoch = 0

    def before(self, epoch: int) -> None:
        """A step of an epoch (1-based) is about to be taken."""
        self.epoch = epoch

    def after(self, log: StepLog) -> None:
        """It was taken."""
        sums = self.epochs.setdefault(self.epoch, EpochSums())
        sums.add(log)
        if sums.steps == self.steps:
            for term, _ in self.trainer.weighted:
                said = (
                    term.report(self.trainer.states[term.key], self.trainer.index - 1)
                    if term.key in log.weights
                    else {}
                )
                for name, values in said.items():
                    sums.reports[term.key, name] = values.reshape(-1).tolist()

    def ended(
        self, epochs: Iterable[Row], terms: Sequence[Row], reports: Sequence[Row], cells: Iterable[Row]
    ) -> list[MechanismFinding]:
        """The first row of each table that says something else; what an epoch has of `cells` is compared with these."""
        whole = {epoch: sums for epoch, sums in self.epochs.items() if sums.steps == self.steps}
        kinds = (
            _of_epochs(whole, epochs, self.config, _trained(cells)),
            _of_terms(whole, terms),
            _of_reports(whole, reports, self.lines),
        )
        texts = [text for kind in kinds for text in [next(kind, "")] if text]
        return [MechanismFinding("-", "record", "broken", text, "real step") for text in texts]


def _trained(cells: Iterable[Row]) -> dict[int, float]:
    """Epoch -> macro AUPR of the training subset, as its row of `cells` has it."""
    keys = ("selection", "split", "cell_line", "score", "prevalence_mode", "protocol")
    wanted = ("epoch", "train", MACRO, "corrected", "as_found", "exact")
    mine = [row for row in cells if tuple(row[key] for key in keys) == wanted]
    return {int(row["epoch"]): math.nan if row["aupr"] is None else row["aupr"] for row in mine}


def _of_epochs(
    whole: Mapping[int, EpochSums],
    rows: Iterable[Row],
    config: ConfigurationBlock,
    trained: Mapping[int, float],
) -> Iterator[str]:
    for row in rows:
        epoch = int(row["epoch"])
        sums = whole.get(epoch)
        if sums is None or sums.last is None:
            continue
        expected = {name: total / sums.steps for name, total in sums.columns.items()}
        if config.temperature.mode == "calibrated":
            expected.pop("temperature", None)  # there it is the one that validation fits
        phase = 1 if epoch <= config.curriculum.phase1_epochs else 2
        expected |= {
            **sums.last.dependence,
            "phase": phase,
            "step": epoch * sums.steps,
            "lr": config.optimiser.lr,
            "train_aupr": trained.get(epoch, math.nan),
        }
        for name, value in expected.items():
            if _differ(row.get(name), value):
                yield f"epoch {epoch}: {name} is stored as {row.get(name)}, and its steps give {value:.6g}"


def _of_terms(whole: Mapping[int, EpochSums], rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        sums, term = whole.get(int(row["epoch"])), row["term"]
        if sums is None or sums.last is None:
            continue
        total, count, acting, in_force = sums.terms.get(term, [0.0, 0, 0, 0])
        value = total / count if count else None
        norm, share = sums.last.shares.get(term, (math.nan, math.nan))
        weight = sums.last.weights.get(term, 0.0)
        expected = {
            "value": value,
            "weight": weight,
            "in_force": in_force / sums.steps,
            "acting": acting / sums.steps,
        }
        expected["weighted"] = 0.0 if value is None else weight * value
        if value is not None:
            expected |= {"grad_norm": norm, "grad_share": share}
        for name, wanted in expected.items():
            if _differ(row.get(name), wanted):
                yield f"epoch {row['epoch']}, term {term}: {name} is stored as {row.get(name)}, and its steps give {wanted}"


def _of_reports(whole: Mapping[int, EpochSums], rows: Iterable[Row], lines: Sequence[str]) -> Iterator[str]:
    for row in rows:
        sums = whole.get(int(row["epoch"]))
        values = None if sums is None else sums.reports.get((row["term"], row["name"]))
        if values is None:
            continue
        at = 0 if row["cell_line"] is None else lines.index(row["cell_line"])
        if _differ(row["value"], values[at]):
            where = f"epoch {row['epoch']}, term {row['term']}, {row['name']} of {row['cell_line'] or 'all'}"
            yield f"{where}: it is stored as {row['value']}, and the term says {values[at]:.6g}"


def _differ(stored: float | None, wanted: float | None) -> bool:
    """Whether two numbers are others; null and NaN are one."""
    one, other = (math.nan if value is None else float(value) for value in (stored, wanted))
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) != math.isnan(other)
    return abs(one - other) > SAME * (1 + abs(other))
