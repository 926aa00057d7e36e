"""Check 9: the real steps are those of the configuration, and whatever a term may move has moved at the end."""

import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from harness.audit.earlier_teacher import stale_teacher, teacher_now
from harness.audit.finding import MechanismFinding
from harness.audit.looked_at import is_last, middle_step
from harness.audit.neutral import members
from harness.audit.reference_step import Moments, moments, weights_at
from harness.audit.states import Fault, untouched
from harness.audit.step_comparison import StepDifference, believed, differences, displacement
from harness.audit.step_reference import DEFINED, step_reference
from harness.mechanisms.catalogue import configured
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.step.balance import BALANCES
from harness.trial.step.movement import movements
from harness.trial.step.trainer import StepLog, Trainer
from models.streams import initialise, stream_seed

TOLERANCE = 1e-6
"""Largest |weight in force / expected - 1|."""
ARRIVED = 1e-6
"""Largest entry of a gradient, also in relation to all gradients, from which on it has to move its parameter."""
CHECK, OPTIMISER = "real step", "optimiser"
SUM = "the sum of weight x gradient"
MINUS_SUM = "minus the sum of weight x gradient"


class RealSteps:
    """Judges the steps of one unit: `before` and `after` each, and what is left at its `ended`.

    On the first, a middle (`middle_step`) and the last step of the first two epochs, then on a middle and the last one in
    turn, and on the first of phase 2, a reference (`reference_step`) is computed on a clone from the state before, and
    compared with the parameters after, and each term's gradient with that of its plain scalars; the weights in force are
    compared at every step. What differs is said once per kind. The trial does not change. Raises Diverged where the
    reference is not finite.

    `cost_steps`: wall time so far over that of the median step.
    """

    def __init__(self, subject: Subject) -> None:
        self._trainer, self._codes, self._steps = subject.trainer, subject.codes, subject.sampler.steps
        self._config = subject.reads.config
        self._settings = self._config.model_dump()
        self._begins = (0, 1, self._settings["curriculum"]["phase1_epochs"])
        self._balance: Any = BALANCES.row(self._config.balance.kind).cls
        self._initial = {name: p.detach().clone() for name, p in self._trainer.named_parameters().items()}
        self._states = {key: dict(state) for key, state in self._trainer.states.items()}
        self._clone: Trainer | None = None
        self._batch: EpisodeBatch | None = None
        self._before: dict[str, Moments] = {}
        self._taught: dict[str, Tensor] = {}
        self._touched: set[str] = set()
        self._said: set[str] = set()
        self._weight_gaps: dict[str, float] = {}
        self._displacement: float | None = None
        self._spent, self._walls, self._since = 0.0, list[float](), 0.0

    @property
    def median_s(self) -> float | None:
        """Wall time of the median step that this process has seen, in seconds; None before the first one."""
        return statistics.median(self._walls) if self._walls else None

    @property
    def cost_steps(self) -> float:
        median = self.median_s
        return self._spent / median if median else 0.0

    def state(self) -> dict[str, Any]:
        """What a resumed unit needs to know, as JSON."""
        return {
            "touched": sorted(self._touched),
            "said": sorted(self._said),
            "weight_gaps": self._weight_gaps,
            "displacement": self._displacement,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from the `state` of an earlier process."""
        self._touched, self._said = set(state["touched"]), set(state["said"])
        self._weight_gaps, self._displacement = dict(state["weight_gaps"]), state["displacement"]

    def shared(self, state: Mapping[str, Any]) -> None:
        """Take over the `state` after steps of phase 1 that another unit took."""
        self._touched |= set(state["touched"])
        for key, gap in state["weight_gaps"].items():
            self._weight_gaps[key] = max(gap, self._weight_gaps.get(key, 0.0))

    def before(self, batch: EpisodeBatch, epoch: int, progress: float) -> list[MechanismFinding]:
        """The trainer is about to take this batch."""
        began = time.perf_counter()
        epoch_before, position = divmod(self._trainer.index, self._steps)
        seed, steps = self._trainer.seed, self._steps
        looked = position == 0 and epoch_before in self._begins
        looked |= position == middle_step(seed, epoch_before + 1, steps) or is_last(
            epoch_before + 1, position, steps
        )
        self._taught = teacher_now(self._trainer) if position == 0 else {}
        self._batch = batch if looked else None
        if self._batch is not None:
            self._before = moments(self._trainer)
            self._load()
        expected = self._progress
        findings: list[MechanismFinding] = []
        if abs(progress - expected) > 1e-9 * (1 + expected):
            text = f"step {self._trainer.index} was taken as of epoch {progress:.6g}, and it is at {expected:.6g}"
            findings += self._once("progress", MechanismFinding("-", OPTIMISER, "broken", text, CHECK))
        self._since = time.perf_counter()
        self._spent += self._since - began
        return findings

    def after(self, log: StepLog) -> list[MechanismFinding]:
        """The trainer has taken it."""
        began = time.perf_counter()
        self._walls.append(began - self._since)
        index = self._trainer.index - 1
        progress = index // self._steps + index % self._steps / self._steps
        weights = weights_at(self._settings, progress)
        findings = self._of_weights(log.weights, weights, f"at step {index}")
        if self._batch is not None:
            if self._balance.weighs:
                weights = {key: log.weights.get(key, 0.0) for key in weights}
            findings += self._of_step(self._batch, index, weights, log)
            self._before, self._batch = {}, None
        text = stale_teacher(self._trainer.memory, self._taught, epoch=index // self._steps + 1)
        if text and index // self._steps >= self._settings["curriculum"]["phase1_epochs"]:
            findings += self._of_states([("memory", f"at step {index}, {text}")])
        self._spent += time.perf_counter() - began
        return findings

    def ended(self, term_rows: Iterable[Mapping[str, Any]]) -> list[MechanismFinding]:
        """What never moved, and weights that the store has otherwise; then one row of the optimiser with all figures.
        term_rows: of table `terms`."""
        findings: list[MechanismFinding] = []
        term_rows = list(term_rows)
        by_epoch: dict[int, dict[str, float]] = {}
        for row in term_rows:
            if row["weight"]:
                by_epoch.setdefault(int(row["epoch"]), {})[row["term"]] = float(row["weight"])
        for epoch, weights in sorted(by_epoch.items()):
            expected = weights_at(self._settings, epoch - 1 + (self._steps - 1) / self._steps)
            findings += self._of_weights(weights, expected, f"at the end of epoch {epoch}")
        named, optimiser = self._trainer.named_parameters(), self._settings["optimiser"]
        moved = movements(self._initial, named, sorted(self._touched), optimiser, self._trainer.index)
        rests = [name for name, distance in moved.items() if distance == 0.0]
        rows = {name: self._owner(name) for name in rests}
        for owner in dict.fromkeys(rows.values()):
            names = [name for name, other in rows.items() if other == owner]
            text = f"its parameters never moved: {_listed(names)} ended where weight decay alone leads"
            findings += self._once(
                f"rests {owner[1]}", MechanismFinding(*owner, "broken", text, CHECK, moved=0.0)
            )
        acted = {str(row["term"]) for row in term_rows if row["weight"]}
        still = untouched(self._states, self._trainer, acted)
        findings += self._of_states(
            (key, "it was in force, and its state is the initial one") for key in still
        )
        text, check = (
            f"{len(self._touched)} parameters were moved by gradients, the steps are those of the configuration",
            "",
        )
        verdict = "idle" if not self._touched else "active"
        others = sorted({said.split(": ")[0] for said in self._said} - {OPTIMISER})
        if others:
            listed = ", ".join(others)
            text = f"{text} but for what is said of {listed}"
        if any(said.startswith(f"{OPTIMISER}: ") for said in self._said):
            verdict, text, check = "broken", "steps are not those of the configuration", CHECK
        gap = max(self._weight_gaps.values(), default=None)
        figures: dict[str, Any] = {
            "displacement": self._displacement,
            "moved": min(moved.values(), default=None),
            "weight_gap": gap,
        }
        return [
            *findings,
            MechanismFinding("-", OPTIMISER, verdict, text, check, **figures),
        ]

    @property
    def _progress(self) -> float:
        """Epochs before the next step."""
        index = self._trainer.index
        return index // self._steps + index % self._steps / self._steps

    def _load(self) -> None:
        """Give the clone, which began elsewhere, the state before the step."""
        trainer = self._trainer
        if self._clone is None:
            with torch.random.fork_rng(devices=[]):
                self._clone = Trainer(
                    self._config, trainer.dataset, self._codes, trainer.seed, trainer.device
                )
                # What stays of a beginning when a state is loaded is then told from what the state says.
                for part in (self._clone.model, self._clone.terms):
                    initialise(part, stream_seed(trainer.seed, "another beginning"))
        self._clone.load_weights(trainer.weights())

    def _of_weights(
        self, real: Mapping[str, float], expected: Mapping[str, float], when: str
    ) -> list[MechanismFinding]:
        """Terms whose weight in force is not weight x schedule; a balance that sets weights itself may set none to 0."""
        findings: list[MechanismFinding] = []
        for key in {**expected, **real}:
            now, wished = real.get(key, 0.0), expected.get(key, 0.0)
            if self._balance.weighs and key != "task" and now > 0 and wished > 0:
                continue
            gap = abs(now / wished - 1) if wished else float(now != 0)
            self._weight_gaps[key] = max(gap, self._weight_gaps.get(key, 0.0))
            if gap > TOLERANCE:
                text = f"its weight in force is {now:.4g} {when}, where configuration and schedule give {wished:.4g}"
                owner = self._owner(f"terms.{key}.")
                finding = MechanismFinding(*owner, "broken", text, CHECK, weight_gap=gap)
                findings += self._once(f"weight {key}", finding)
        return findings

    def _of_step(
        self, batch: EpisodeBatch, index: int, weights: Mapping[str, float], log: StepLog
    ) -> list[MechanismFinding]:
        assert self._clone is not None
        progress = index // self._steps + index % self._steps / self._steps
        parts = self._clone, self._trainer, self._settings, batch
        gradients, faults = step_reference(*parts, progress, weights, log)
        largest = {name: float(g.abs().max()) for name, g in gradients.items() if g.numel()}
        arrived = ARRIVED * max(1.0, *largest.values())
        self._touched |= {name for name, size in largest.items() if size > arrived}
        after, optimiser = moments(self._trainer), self._settings["optimiser"]
        half = self._trainer.model.sequence.halved
        exact = not self._balance.projects or self._settings["balance"]["kind"] in DEFINED
        unlike = list(differences(self._before, after, gradients, optimiser, exact=exact, half=half))
        # The task has a gradient at every step, so that some parameter was moved by each of them.
        taken = max(start.steps for start in self._before.values())
        if taken != index:
            text = f"it took {taken} steps before step {index}"
            unlike.insert(0, StepDifference("skipped", "the optimiser", text))
        findings = self._faults(unlike, index)
        findings += self._of_states((name, f"at step {index}, {text}") for name, text in faults)
        if index == 0:
            self._displacement = displacement(self._before, after, gradients, optimiser)
            findings += self._against(
                "the first step less weight decay", MINUS_SUM, self._displacement, index
            )
        told = believed(self._before, after, gradients)
        return findings + self._against("the gradient that the optimiser got", SUM, told, index)

    def _of_states(self, faults: Iterable[Fault]) -> list[MechanismFinding]:
        findings: list[MechanismFinding] = []
        for name, text in faults:
            owner = self._owner(f"terms.{name}.") if name in self._states else ("-", name)
            findings += self._once(f"state {name}", MechanismFinding(*owner, "broken", text, CHECK))
        return findings

    def _against(self, what: str, way: str, cosine: float | None, index: int) -> list[MechanismFinding]:
        """A finding where the inner product is not positive; None stands for nothing to go along."""
        if cosine is None or cosine > 0:
            return []
        text = f"{what} does not go along {way} at step {index}: cosine {cosine:.3g}"
        finding = MechanismFinding("-", OPTIMISER, "broken", text, CHECK, displacement=cosine)
        return self._once(f"sign of {what}", finding)

    def _faults(self, unlike: list[StepDifference], index: int) -> list[MechanismFinding]:
        """One finding per kind of difference, on the optimiser, that names what it is the first of."""
        findings: list[MechanismFinding] = []
        for kind in dict.fromkeys(each.kind for each in unlike):
            same = [each for each in unlike if each.kind == kind]
            text = f"at step {index}, {same[0].name}: {same[0].text}"
            text = f"{text} (and {len(same) - 1} more parameters)" if len(same) > 1 else text
            findings += self._once(kind, MechanismFinding("-", OPTIMISER, "broken", text, CHECK))
        return findings

    def _owner(self, name: str) -> tuple[str, str]:
        """(id, key) of the configured mechanism that a parameter is of: the innermost module that is one."""
        best, owner = -1, ("-", OPTIMISER)
        for row in configured(self._settings):
            if row.cls is None:
                continue
            for place, _ in members(self._trainer, row.cls):
                if name.startswith(f"{place}.") and len(place) > best:
                    best, owner = len(place), (row.id, row.key)
        return owner

    def _once(self, kind: str, finding: MechanismFinding) -> list[MechanismFinding]:
        """The finding where its kind has not been said yet."""
        said = f"{finding.mechanism}: {kind}"
        if said in self._said:
            return []
        self._said.add(said)
        return [finding]


def _listed(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
