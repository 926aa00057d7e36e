"""Sentences on a sweep that can run and would still disappoint."""

from typing import Any

from harness.config.blocks.environment import EncodedEnvironmentBlock
from harness.config.blocks.paths import flatten
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.distributions import ChoiceBlock
from harness.config.space.space import Space


def advise(config: SweepBlock, trial: ConfigurationBlock, space: Space) -> list[str]:
    """Warnings, most important first; an empty list when there is nothing to say.

    Within one cell line a cell-scope energy is an increasing function of U_I (boosted_gate with a above 0.83 and
    interaction with lam below 0 apart), so a macro AUPR cannot see which energy or temperature a configuration has
    (docs/concepts.md, rank invariance).
    """
    varied = _varied(trial, space)
    sentences = []
    environment = trial.environment
    scope = environment.scope if isinstance(environment, EncodedEnvironmentBlock) else None
    scopes = varied.get("environment.scope", {scope})
    blind = [path for path in varied if path.split(".")[0] in ("energy", "temperature")]
    if blind and "cell" in scopes and config.objective == "val_unseen/macro/aupr":
        sentences.append(
            f"objective {config.objective} cannot see {', '.join(blind)} at environment.scope: cell, where "
            "every energy that increases with U_I ranks the pairs of one cell line as U_I does; val_unseen/pooled/aupr or "
            "val_unseen/pooled/nll can"
        )
    modes = varied.get("temperature.mode", {trial.temperature.mode})
    if "per_cell" in modes and "cell" in scopes:
        sentences.append(
            "temperature.mode: per_cell beside an R_E at environment.scope: cell is redundant, each can absorb "
            "the other"
        )
    weights = varied.get("loss.calibration.weight", {trial.loss.calibration.weight})
    if modes & {"learned", "per_cell"} and 0 in weights:
        sentences.append(
            "a learned temperature and an unbounded U_I share one scale; a loss.calibration.weight above 0 "
            "settles it"
        )
    if trial.predict.mode == "branch_select" and "cell" in scopes:
        sentences.append(
            "predict.mode: branch_select has nothing to choose at environment.scope: cell, where U_I and the corrected "
            "score rank the pairs of one cell line alike; environment.scope: sample gives it a choice"
        )
    listed: dict[object, int] = {}
    for number, fold in enumerate(config.data.folds if isinstance(config.data.folds, list) else []):
        first = listed.setdefault(fold.content, number)
        if first != number:
            sentences.append(f"data.folds[{number}] is the same fold as data.folds[{first}], and runs once")
    if config.stop and config.of_design.ablates:
        sentences.append(
            f"stop: {', '.join(config.stop)} ends units of some arms and not of others, and design: {config.design.kind} "
            "compares arms on the same fold and seed: pairs with a unit that was ended are left out of every effect, not "
            "at random; leave stop out, the rules warn without it too"
        )
    sentences += config.of_design.advice(config.sampler, config.trials, space)
    return sentences


def _varied(trial: ConfigurationBlock, space: Space) -> dict[str, set[Any]]:
    """Path -> the finite values that the space gives it, together with the base's where it may stay that."""
    base = flatten(trial.model_dump())
    varied: dict[str, set[Any]] = {}
    for name, entry in space.entries.items():
        options = entry.options if isinstance(entry, ChoiceBlock) else None
        if options is None:
            varied.setdefault(name, set()).update(entry.ends())
            continue
        for path in {path for values in options.values() for path in values}:
            held = {values[path] for values in options.values() if path in values}
            if any(path not in values for values in options.values()):
                held.add(base.get(path))
            varied.setdefault(path, set()).update(held)
    return varied
