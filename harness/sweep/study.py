"""The Optuna study of a run: proposes configurations and remembers, on disk, what each one reached."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from harness.config.sweep_blocks import SamplerBlock
from harness.space.space import Space

CONFIG, CHANGES, STATUS = "config", "changes", "status"
"""User attributes of every trial of the study: its configuration's identity, what it changes, how it ended."""


@dataclass(frozen=True)
class Draw:
    """One proposal of the sampler: changes around the base, and the study's own number for it."""

    number: int
    changes: dict[str, Any]


class Study:
    """`RUN/optuna.log` (a journal that `optuna-dashboard` opens), written by the driver alone.

    Every configuration of the run is one trial of the study, of a grid as of a search. Its objective after each
    epoch is an intermediate value, its final one the value; a kill at any instant loses at most the last line.
    """

    def __init__(
        self, file: Path, *, name: str, direction: Literal["maximize", "minimize"], sampler: SamplerBlock
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _mend(file)
        storage = JournalStorage(JournalFileBackend(str(file)))
        self.study = optuna.create_study(
            study_name=name, storage=storage, direction=direction, load_if_exists=True
        )
        known = self.study.get_trials(deepcopy=False)
        self.study.sampler = _sampler(sampler, len(known))
        self._live: dict[str, Trial] = {}
        self.numbers: dict[str, int] = {}
        for trial in known:
            if CONFIG not in trial.user_attrs:
                self._refuse(trial.number)
                continue
            config = trial.user_attrs[CONFIG]
            self.numbers[config] = trial.number
            if trial.state is TrialState.RUNNING:
                self._live[config] = Trial(self.study, trial._trial_id)
        self._asked: dict[int, Trial] = {}

    def ask(self, space: Space) -> Draw:
        """A new proposal; it counts only once it is accepted."""
        trial = self.study.ask()
        self._asked[trial.number] = trial
        return Draw(trial.number, space.sample(trial))

    def add(self, config: str, changes: Mapping[str, Any]) -> None:
        """Enter a configuration that no sampler proposed (a grid's)."""
        if config not in self.numbers:
            self.accept(self.given(changes), config)

    def given(self, changes: Mapping[str, Any]) -> Draw:
        """A draw that no sampler made; it counts only once it is accepted."""
        trial = self.study.ask()
        self._asked[trial.number] = trial
        return Draw(trial.number, dict(changes))

    def accept(self, draw: Draw, config: str) -> None:
        """The proposal becomes the configuration `config` of the run."""
        trial = self._asked.pop(draw.number)
        trial.set_user_attr(CHANGES, draw.changes)
        trial.set_user_attr(CONFIG, config)
        self._live[config] = trial
        self.numbers[config] = draw.number

    def repeat(self, draw: Draw, config: str) -> None:
        """The proposal is a configuration the run already has: the sampler learns its value where it is known."""
        self._asked.pop(draw.number, None)
        known = self.study.trials[self.numbers[config]]
        if known.state is TrialState.COMPLETE:
            self.study.tell(draw.number, known.value)
        else:
            self._refuse(draw.number)

    def refuse(self, draw: Draw) -> None:
        """The proposal is an impossible combination."""
        self._asked.pop(draw.number, None)
        self._refuse(draw.number)

    def report(self, config: str, epoch: int, value: float) -> None:
        """The objective after an epoch; NaN is not recorded, nor is what a finished trial would report again."""
        trial = self._live.get(config)
        if trial is not None and math.isfinite(value):
            trial.report(value, step=epoch)

    def tell(self, config: str, status: str, value: float) -> None:
        """The configuration ended: done and stopped ones count with their value, pruned and diverged ones as worse
        than any value, failed ones not at all."""
        trial = self._live.pop(config, None)
        if trial is None:
            return
        trial.set_user_attr(STATUS, status)
        if status in ("done", "stopped") and math.isfinite(value):
            self.study.tell(trial.number, value)
        elif status == "failed":
            self._refuse(trial.number)
        else:
            self.study.tell(trial.number, state=TrialState.PRUNED)

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """(epoch, objective) of every configuration so far, oldest configuration first."""
        return {
            trial.user_attrs[CONFIG]: sorted(trial.intermediate_values.items())
            for trial in self._accepted()
            if trial.intermediate_values
        }

    def _accepted(self) -> list[FrozenTrial]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if CONFIG in trial.user_attrs]

    def _refuse(self, number: int) -> None:
        self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _sampler(block: SamplerBlock, past: int) -> optuna.samplers.BaseSampler:
    """A resumed study draws from a new stream, or its random start would propose the same configurations again."""
    seed = block.seed + 7919 * past
    if block.kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(n_startup_trials=block.startup, seed=seed, constant_liar=True)


def _mend(file: Path) -> None:
    """A driver killed while writing leaves half a line or its lock behind; neither may stop the next one."""
    for lock in file.parent.glob(f"{file.name}.lock*"):
        lock.unlink()
    if file.exists():
        content = file.read_bytes()
        if content and not content.endswith(b"\n"):
            whole = content[: content.rfind(b"\n") + 1]
            with file.open("r+b") as stream:
                stream.truncate(len(whole))
