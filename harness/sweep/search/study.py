"""The Optuna study of a search space: proposes configurations and remembers, on disk, what each one reached."""

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from analysis.schema import STUDIES
from harness.config.blocks.sweep import SamplerBlock
from harness.config.space.space import Space
from harness.sweep.search.bounded import BoundedTPE
from harness.sweep.search.journal import Journal
from harness.sweep.search.past import Past

Direction = Literal["maximize", "minimize"]
CONFIG, CHANGES, STATUS = "config", "changes", "status"
"""User attributes of a trial of the study: its configuration's identity, those of its changes that do not stand among what
was drawn (a named choice's, an arm's), how it ended."""
SPOILT = (AssertionError, AttributeError, LookupError, TypeError, ValueError, OptunaError)
"""What a journal that is none makes its reader raise: it is written anew."""


@dataclass(frozen=True)
class Draw:
    """One proposal of the sampler: changes around the base, and the study's own number for it."""

    number: int
    changes: dict[str, Any]


def study_file(run: Path, space: Space, objective: str, beside: Sequence[str] = ()) -> Path:
    """Where the study of a space under an objective, and those beside it, is: any other space, or objective, has a study of
    its own."""
    content = json.dumps([space.content(), objective, *beside], sort_keys=True)
    return run / STUDIES / f"{hashlib.sha256(content.encode()).hexdigest()[:12]}.log"


class Study:
    """`RUN/studies/HASH.log` (a journal that `optuna-dashboard` opens), written by the driver alone.

    Every configuration of the run that `space` can draw is one trial of the study, of a grid as of a search. Its
    objective after each epoch is an intermediate value, its final one the value; a kill at any instant loses at most
    the last line. `past` is what plan and store know of these configurations, in the order of the plan. Where `file` is
    missing, cannot be read or says something else, it is written anew from `past` (None: the file is believed), and
    the sampler goes on as with the old one, but in a new stream of random numbers and without refused proposals.
    """

    def __init__(
        self,
        file: Path,
        *,
        name: str,
        objective: str,
        sampler: SamplerBlock,
        space: Space,
        past: Sequence[Past] | None = None,
    ) -> None:
        objectives = [objective, *sampler.beside]
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.space = space
        self._asked: dict[int, Trial] = {}
        self._live: dict[str, Trial] = {}
        self.numbers: dict[str, int] = {}
        _mend(file)
        try:
            self.study, self._storage = _opened(file, name, objectives)
            usable = past is None or _says(self._accepted(), past)
        except SPOILT:
            if past is None:
                raise
            usable = False
        if usable:
            self._take_up()
        else:
            file.unlink()
            self.study, self._storage = _opened(file, name, objectives)
            for configuration in past or ():
                self._enter(configuration)
        self.study.sampler = _sampler(sampler, len(self.numbers))

    def ask(self) -> Draw:
        """A new proposal; it counts only once it is accepted."""
        trial = self.study.ask()
        self._asked[trial.number] = trial
        return Draw(trial.number, self.space.sample(trial))

    def draw_of(self, changes: Mapping[str, Any]) -> Draw:
        """A draw of the space that no sampler made; it counts only once it is accepted."""
        params = self.space.find(changes)
        if params is None:
            raise ValueError(f"the space cannot draw {dict(changes)}")
        trial = self._add(TrialState.RUNNING, params)
        self._asked[trial.number] = self._going_on(trial.number)
        return Draw(trial.number, dict(changes))

    def accept(self, draw: Draw, config: str) -> None:
        """The proposal becomes the configuration `config` of the run."""
        trial = self._asked.pop(draw.number)
        if undrawn := _undrawn(draw.changes, trial.params):
            trial.set_user_attr(CHANGES, undrawn)
        trial.set_user_attr(CONFIG, config)
        self._live[config] = trial
        self.numbers[config] = draw.number

    def refuse(self, draw: Draw) -> None:
        """The proposal is an impossible combination, or a configuration that the run has: its value is known to the
        sampler once, and would weigh double if it were told again."""
        self._asked.pop(draw.number, None)
        self._refuse(draw.number)

    def report(self, config: str, epoch: int, value: float) -> None:
        """The objective after an epoch; NaN is not recorded, nor is what a finished trial would report again."""
        trial = self._live.get(config)
        if trial is not None and math.isfinite(value) and len(self.study.directions) == 1:
            trial.report(value, step=epoch)

    def tell(self, config: str, status: str, value: float, others: Sequence[float] = ()) -> None:
        """The configuration ended: done and stopped ones count with their value and the `others` beside it, pruned and
        diverged ones as worse than any value, failed ones not at all."""
        trial = self._live.pop(config, None)
        if trial is None:
            return
        trial.set_user_attr(STATUS, status)
        values = [value, *others]
        state = state_of(status, sum(values))
        self.study.tell(trial.number, values if state is TrialState.COMPLETE else None, state)

    def _going_on(self, number: int) -> Trial:
        """The handle of a running trial of the study, to report to."""
        study = self._storage.get_study_id_from_name(self.study.study_name)
        return Trial(self.study, self._storage.get_trial_id_from_study_id_trial_number(study, number))

    def _accepted(self) -> list[FrozenTrial]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if CONFIG in trial.user_attrs]

    def _take_up(self) -> None:
        for trial in self.study.get_trials(deepcopy=False):
            if CONFIG not in trial.user_attrs:
                self._refuse(trial.number)
                continue
            config = trial.user_attrs[CONFIG]
            self.numbers[config] = trial.number
            if trial.state is TrialState.RUNNING:
                self._live[config] = self._going_on(trial.number)

    def _enter(self, past: Past) -> None:
        """A configuration that the study has not seen; one that has ended enters as a finished trial."""
        if past.running:
            self.accept(self.draw_of(past.changes), past.config)
            for epoch, value in past.curve:
                self.report(past.config, epoch, value)
            return
        state = state_of(past.status, sum(past.values))
        single = len(self.study.directions) == 1
        curve = dict(past.curve) if single else {}
        reached: list[float] | None = None
        if state is TrialState.COMPLETE:
            reached = list(past.values)
        elif state is TrialState.PRUNED and curve:
            reached = [past.curve[-1][1]]
        attributes: dict[str, Any] = {CONFIG: past.config, STATUS: past.status}
        if undrawn := _undrawn(past.changes, past.params):
            attributes[CHANGES] = undrawn
        trial = self._add(
            state, past.params, values=reached, user_attrs=attributes, intermediate_values=curve
        )
        self.numbers[past.config] = trial.number

    def _add(self, state: TrialState, params: Mapping[str, Any], **more: Any) -> FrozenTrial:
        distributions = {name: self.space.entries[name].distribution() for name in params}
        self.study.add_trial(
            optuna.create_trial(state=state, params=dict(params), distributions=distributions, **more)
        )
        return self.study.get_trials(deepcopy=False)[-1]

    def _refuse(self, number: int) -> None:
        self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _undrawn(changes: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The changes that a person does not read from the drawn values."""
    return {path: value for path, value in changes.items() if path not in params or params[path] != value}


def state_of(status: str, value: float) -> TrialState:
    """What a configuration's end is to a sampler."""
    if status in ("done", "stopped") and math.isfinite(value):
        return TrialState.COMPLETE
    return TrialState.FAIL if status == "failed" else TrialState.PRUNED


def direction_of(objective: str) -> Direction:
    """Which way an objective (split/level/metric) is better."""
    return "maximize" if objective.endswith("/aupr") else "minimize"


def _opened(file: Path, name: str, objectives: Sequence[str]) -> tuple[optuna.Study, JournalStorage]:
    """The study `name` in a journal, its values called by the `objectives` that they are."""
    directions = [direction_of(objective) for objective in objectives]
    storage = JournalStorage(Journal(str(file)))
    made = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    if made.metric_names != objectives:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            made.set_metric_names(list(objectives))
    return made, storage


def _says(trials: Sequence[FrozenTrial], past: Sequence[Past]) -> bool:
    """Whether the study's own configurations are those of `past`, in order, each with what it reached."""
    return [trial.user_attrs[CONFIG] for trial in trials] == [known.config for known in past] and all(
        _agrees(trial, known) for trial, known in zip(trials, past, strict=True)
    )


def _agrees(trial: FrozenTrial, past: Past) -> bool:
    if past.running:
        return trial.state is TrialState.RUNNING and trial.params == past.params
    if trial.state is not state_of(past.status, sum(past.values)) or trial.params != past.params:
        return False
    if trial.state is not TrialState.COMPLETE:
        return True
    return trial.values is not None and all(
        math.isclose(told, known, rel_tol=1e-9) for told, known in zip(trial.values, past.values, strict=True)
    )


def _sampler(block: SamplerBlock, past: int) -> optuna.samplers.BaseSampler:
    """A resumed study draws from a new stream, or its random start would propose the same configurations again."""
    seed = (block.seed + 7919 * past) % 2**32
    if block.kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if block.kind == "qmc":
        # Its place in the sequence is kept in the study, so that the seed of the sequence stays.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return optuna.samplers.QMCSampler(
                qmc_type="sobol",
                scramble=True,
                seed=block.seed % 2**32,
                independent_sampler=optuna.samplers.RandomSampler(seed=seed),
                warn_independent_sampling=False,
            )
    if block.kind == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=block.population, seed=seed)
    return BoundedTPE(n_startup_trials=block.startup, seed=seed, constant_liar=True)


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
