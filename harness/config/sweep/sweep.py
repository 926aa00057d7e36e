"""A sweep's YAML, read, overridden, validated and composed; a mistake is one sentence with its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from analysis.errors import UserError, nearest
from analysis.export.trackers import TRACKERS
from analysis.nearest_path import nearest_path
from analysis.rules import RULES
from harness.config.blocks.design import Arm, Staged
from harness.config.blocks.explain import ConfigError, show, validate
from harness.config.blocks.paths import find, flatten, leaves
from harness.config.blocks.sweep import AshaSchedulerBlock, MedianSchedulerBlock, SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.check import build_space
from harness.config.space.compose import SEARCH_SPACES, check_preset, merge, preset_document, shipped
from harness.config.space.crossed import Crossed
from harness.config.space.named_arms import ArmsBlock
from harness.config.space.space import Space
from harness.config.space.steps import Steps
from harness.config.sweep.advice import advise
from harness.config.sweep.basis import SweepBasis
from harness.config.sweep.enqueued import enqueued, refuse_more
from harness.config.sweep.enumerated import check_enumerated
from harness.config.sweep.fidelity import check_fidelity, composer_of
from harness.config.sweep.overrides import SAME, override
from harness.config.sweep.placed import check_placed
from harness.config.sweep.sources import Sources
from harness.config.sweep.use import load_use, use_of
from harness.config.yaml.lines import read_yaml


@dataclass(frozen=True)
class Sweep:
    """A validated sweep.

    `config` is the YAML as typed blocks, `basis` what all configurations stand on: the base (preset, trial, set), which
    `trial` is composed, and the `space` that is varied around it; `warnings` are
    sentences for the person who starts it, `text` the YAML as read, `overrides` the command line's settings.
    """

    config: SweepBlock
    basis: SweepBasis = field(compare=False, repr=False)
    trial: ConfigurationBlock
    warnings: tuple[str, ...]
    text: str
    path: Path
    sources: Sources = field(compare=False, repr=False)
    overrides: tuple[str, ...] = ()

    @property
    def trials(self) -> int:
        """Configurations to run."""
        return self.config.of_design.trials(self.config.trials, self.basis)

    @property
    def space(self) -> Space:
        """What is varied around the base."""
        return self.basis.space

    @property
    def studied(self) -> Space:
        """What a study of it says that it draws: the space, one of the named arms, the levels of factors, or which steps
        are taken."""
        design = self.config.of_design
        if isinstance(design, Staged):
            return Steps(design.moves(self.basis), partial(design.after, self.basis))
        arms = self.arms()
        if not arms or not all(arm.name for arm in arms):
            return self.space
        if all(arm.levels for arm in arms):
            return Crossed([(arm.levels, arm.changes) for arm in arms])
        options = {arm.name: dict(arm.changes) for arm in arms}
        return Space({"arm": ArmsBlock(choice=options)})

    def placed(self, error: ConfigError) -> UserError:
        """A mistake that shows only beside the data, with the place where a person made it."""
        return UserError(f"{self.sources.where(error)}: {error}")

    def arms(self) -> list[Arm]:
        """The configurations that the design knows before anything runs."""
        return self.config.of_design.arms(self.basis)

    def resolved(self, changes: Mapping[str, Any], *, gpu: bool) -> ConfigurationBlock:
        """The configuration of one draw of the space, with everything decided; raises ConfigError for an impossible
        one."""
        return self.basis.composer.resolved(changes, gpu=gpu)


def load_sweep(
    path: Path, *, overrides: Sequence[str] = (), data_root: Path | None = None, holds: bool = False
) -> Sweep:
    """Read and check a sweep's YAML; nothing is started and nothing written.

    `overrides`: `path=value` settings of the command line; they win over the YAML and pin swept paths. `data_root`: dataset
    folder in place of the YAML's data source. `holds`: a cached space varies nothing that reaches the sequence side
    alone, in place of being refused for it.

    Raises
    ------
    UserError
        `file:line: sentence` for the first mistake, or `--set ...: sentence` where the command line made it.
    """
    path = Path(path)
    document = read_yaml(path, also=[file for file in shipped() if file.parent == SEARCH_SPACES])
    load_use(use_of(document))  # now: what they register may be set, swept and overridden
    check_placed()
    overridden = override(document.data, overrides, data_root)
    sources = Sources(document, overridden)
    try:
        config = _typed(overridden.data)
        preset = _preset(config, path, sources)
        settings = _settings(config)
        config = check_fidelity(config, merge(preset, settings), holds=holds)
        composer = composer_of(config, merge(preset, settings))
        trial = composer({})
        space = build_space(config.space, composer, settings)
        first = enqueued(config, trial, space)
        basis = SweepBasis(config, space, composer, settings, path.parent, first)
        _check_design(basis, trial)
    except ConfigError as error:
        raise UserError(f"{sources.where(error)}: {error}{_of_a_trial(error)}") from None
    warnings = (*overridden.warnings, *advise(config, trial, space))
    return Sweep(config, basis, trial, warnings, document.text, path, sources, tuple(overrides))


def _of_a_trial(error: ConfigError) -> str:
    """Where a key belongs that is none of a sweep, and is one of its trials."""
    named = [path for path in leaves() if error.path in (path, f"trial.{path}")]
    return f"; {named[0]} is a setting of each trial: write set: {{{named[0]}: ...}}" if named else ""


def _typed(data: Mapping[str, Any]) -> SweepBlock:
    objective = data.get("objective")
    if isinstance(objective, str) and objective.split("/")[0] == "test":
        raise ConfigError(
            "objective",
            f"objective {objective} is refused, test cell lines are for reporting only; "
            f"use val_unseen{objective.removeprefix('test')}",
        )
    config = validate(SweepBlock, data)
    for position, rule in enumerate(config.stop):
        if rule not in RULES:
            raise ConfigError(
                f"stop.{position}",
                f"stop: '{rule}' is not a warning rule ({', '.join(RULES)}){nearest(rule, RULES)}",
            )
    for position, tracker in enumerate(config.track):
        if tracker not in TRACKERS:
            raise ConfigError(
                f"track.{position}",
                f"track: '{tracker}' is not a tracker ({', '.join(TRACKERS)}){nearest(tracker, TRACKERS)}",
            )
    if config.data.root is not None and not config.data.root.is_dir():
        hint = nearest_path(config.data.root, Path.is_dir)
        raise ConfigError("data.root", f"data.root: there is no folder {config.data.root}{hint}")
    return config


def _preset(config: SweepBlock, path: Path, sources: Sources) -> dict[str, Any]:
    try:
        sources.preset = preset_document(config.base, beside=path.parent)
    except UserError as error:
        raise ConfigError("base", f"base: {error}") from None
    check_preset(sources.preset)
    return sources.preset.data


def _settings(config: SweepBlock) -> dict[str, Any]:
    """What `set` and `trial` lay over the preset, each value checked."""
    settings = flatten(config.set)
    for path, value in settings.items():
        try:
            find(path).check(value)
        except ConfigError as error:
            raise ConfigError(f"set.{path}", str(error)) from None
    for sweep_path, path in SAME.items():
        value = getattr(config.trial, sweep_path.removeprefix("trial."))
        if value is None:
            continue
        if path in settings or path in config.space:
            raise ConfigError(
                sweep_path,
                f"{sweep_path} sets {path}, which {'set' if path in settings else 'space'} gives too",
            )
        settings[path] = value
    if config.trial.budget is not None:
        epochs = settings.get("optimiser.epochs", ConfigurationBlock().optimiser.epochs)
        if "optimiser.epochs" in config.space:
            raise ConfigError(
                "trial.budget", "trial.budget shares steps out over fixed epochs, which space varies"
            )
        if config.trial.budget < epochs:
            raise ConfigError(
                "trial.budget", f"trial.budget {config.trial.budget} is fewer than the {epochs} epochs"
            )
        settings["optimiser.steps_per_epoch"] = config.trial.budget // epochs
    return settings


def _check_design(basis: SweepBasis, trial: ConfigurationBlock) -> None:
    config = basis.config
    for name, sentence in config.of_design.faults(basis.space):
        raise ConfigError(f"space.{name}", sentence)
    if not config.of_design.searched or config.of_design.ablates:
        check_enumerated(config.of_design, basis)
    if basis.enqueued:
        refuse_more(basis.enqueued, config.of_design.trials(config.trials, basis))
    stopping = config.scheduler
    epochs = trial.optimiser.epochs
    if isinstance(stopping, AshaSchedulerBlock | MedianSchedulerBlock) and stopping.grace > epochs:
        raise ConfigError(
            "scheduler.grace",
            f"scheduler.grace {stopping.grace} is more than the trial's {epochs} epochs, so that nothing would be stopped "
            f"early; expected at most {epochs} (or scheduler.kind: none)",
        )
    if config.resources.gpus_per_trial is not None and config.resources.gpus_per_trial > 1:
        share = config.resources.gpus_per_trial
        if share != int(share):
            raise ConfigError(
                "resources.gpus_per_trial",
                f"resources.gpus_per_trial is {show(share)}, above 1 only whole GPUs are given",
            )
