"""Which trials of a run have phase 1 in common, and what sharing it can save."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import UserError
from analysis.output import counted
from harness.config.blocks.design import Staged
from harness.config.blocks.reads import answers
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.design.plan import Plan, Unit
from harness.trial.prefix import FOLDER, phase1_questions

NAMED = 3
"""Keys that a sentence names before it counts the rest."""


@dataclass(frozen=True)
class Ceiling:
    """Of units whose phase 1 is trained once per distinct one: phases that there are and those that are `distinct`, epochs
    of all units, and of these what sharing can spare."""

    phases: int
    distinct: int
    epochs: int
    spared: int

    @property
    def ratio(self) -> float:
        """Epochs without sharing over epochs with it."""
        return self.epochs / (self.epochs - self.spared) if self.epochs else 1.0


class Sharing:
    """Asks configurations what their phase 1 reads, by building what trains in it and looking at the record of reads.

    `dataset` and `fold` are any of the run's, since what is read does not depend on them. A configuration that answers the
    questions of an earlier one alike has that one's phase 1, and is not built. `why`: the reason for which a run shares
    nothing, in words; empty where it may. A search whose space varies a key of phase 1 over a continuous range meets no
    value twice, and is not asked about each of its configurations. `run`: a folder in which an earlier start may have left
    epochs of phase 1, which are mentioned and not counted: whether they fit is known when a unit asks for them.
    """

    def __init__(
        self, sweep: Sweep, dataset: EncodedDataset, fold: Fold, *, gpu: bool, run: Path | None = None
    ) -> None:
        self.sweep, self.dataset, self.gpu, self.run = sweep, dataset, gpu, run
        splits = split(dataset, fold)
        self._train = splits.train
        self._codes = np.unique(dataset.cell[splits.train])
        self._asked: dict[frozenset[str], dict[str, str]] = {}
        """Questions -> answers, as text -> the key of that phase 1."""
        self._known: dict[str, str | None] = {}
        self.base = sweep.trial.resolved(gpu=gpu)
        self.varied: list[str] = []
        """Keys that phase 1 reads of the base and the space varies."""
        self.why = self._reason()

    @property
    def open(self) -> bool:
        """Whether configurations are still to be proposed, that nobody knows yet."""
        design = self.sweep.config.of_design
        return design.searched or isinstance(design, Staged)

    def key(self, config: ConfigurationBlock) -> str | None:
        """What two configurations have alike where phase 1 is one; None for one without a phase 1, and where it is not
        shared."""
        if self.why or config.curriculum.phase1_epochs == 0:
            return None
        if config.id not in self._known:
            self._known[config.id] = self._key(config)
        return self._known[config.id]

    def common(self, plan: Plan) -> Callable[[ConfigurationBlock], str | None]:
        """The key of a configuration that shares phase 1 with another one of the plan, or may with one that is still to be
        proposed; None of another one."""
        counts = Counter(self.key(plan.configs[config].config) for config in plan.asked)

        def key(config: ConfigurationBlock) -> str | None:
            mine = self.key(config)
            return mine if self.open or counts[mine] > 1 else None

        return key

    def ceiling(self, plan: Plan, units: Iterable[Unit], new: int = 0) -> Ceiling:
        """Of units of a plan, and of `new` configurations that are to come where all of them have the base's phase 1."""
        trained: set[tuple[str | None, str, int]] = set()
        phases = epochs = spared = 0
        alike = self.sweep.config.of_design.searched and not self.varied
        coming = [self.base] * (new if alike else 0)
        future = [("", fold, seed) for _ in coming for fold in plan.folds for seed in plan.seeds]
        units = list(units)
        configs = {unit.config_id: plan.configs[unit.config_id].config for unit in units} | {"": self.base}
        keys = {name: self.key(config) for name, config in configs.items()}
        for name, fold, seed in (*units, *future):
            config, key = configs[name], keys[name]
            first = config.curriculum.phase1_epochs
            epochs += config.optimiser.epochs
            phases += first > 0
            if key is not None and (key, fold, seed) in trained:
                spared += first
            elif first:
                trained.add((key or name, fold, seed))
        return Ceiling(phases, len(trained), epochs, spared)

    def foreseen(self, plan: Plan, pending: Mapping[str, Sequence[Unit]], new: int) -> str:
        """What can be shared of what is to run, in a sentence; empty where there is no phase 1."""
        ceiling = self.ceiling(plan, [unit for units in pending.values() for unit in units], new)
        if not ceiling.phases and not self.base.curriculum.phase1_epochs:
            return ""
        if self.why:
            return self.why
        if self.varied:
            return f"trained once by configurations that have {_listed(self.varied)} in common"
        if isinstance(self.sweep.config.of_design, Staged):
            return "trained once by arms that answer what it reads alike"
        phases = counted(ceiling.phases, "phase")
        said = (
            f"{ceiling.distinct} of {phases} to train, the others are taken from these: "
            f"{ceiling.ratio:.2f} x fewer epochs at most"
            if ceiling.spared
            else f"nothing of {phases} can be shared: each reads other values"
        )
        left = 0 if self.run is None else len(list((self.run / FOLDER).glob("*/epoch-*.pt")))
        return said + (f"; {counted(left, 'epoch')} left by an earlier start may spare more" if left else "")

    def _reason(self) -> str:
        if not self.sweep.config.trial.share_prefix:
            return "not shared (trial.share_prefix: false)"
        if self.sweep.config.trial.replicates == "stacked":
            return "not shared (trial.replicates: stacked)"
        entries = self.sweep.space.entries
        if not self.sweep.config.of_design.searched or self.base.curriculum.phase1_epochs == 0:
            return ""
        try:
            read = {question.partition(":")[0] for question in self._questions(self.base)}
        except (UserError, ValueError):
            return ""
        varied = {path: entry for name, entry in entries.items() for path in entry.paths(name) & read}
        self.varied = sorted(varied)
        if all(entry.values() is not None for entry in varied.values()):
            return ""
        return f"nothing can be shared: it reads {_listed(self.varied)}, which the space varies"

    def _questions(self, config: ConfigurationBlock) -> frozenset[str]:
        return phase1_questions(config, self.dataset, self._codes, self._train)

    def _key(self, config: ConfigurationBlock) -> str | None:
        for questions, known in self._asked.items():
            said = _text(config, questions)
            if said in known:
                return known[said]
        try:
            questions = self._questions(config)
        except (UserError, ValueError):
            return None  # its trial says what is wrong
        known = self._asked.setdefault(questions, {})
        return known.setdefault(_text(config, questions), config.id)


def _text(config: ConfigurationBlock, questions: frozenset[str]) -> str:
    return json.dumps(answers(config, questions), sort_keys=True)


def _listed(keys: Sequence[str]) -> str:
    rest = len(keys) - NAMED
    return ", ".join(keys[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
