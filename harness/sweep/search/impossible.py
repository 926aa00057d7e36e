"""Refuses, before anything starts, a sweep whose configurations the data cannot serve."""

from collections.abc import Sequence
from itertools import islice

from analysis.errors import UserError
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.check import EXHAUSTIVE, probe
from harness.config.space.distributions import word
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.sweep.search.left import unplanned
from harness.trial.episodes.feasible import check_feasible
from harness.trial.step.stack import refuse_unstackable


def refuse_impossible(sweep: Sweep, dataset: EncodedDataset, folds: Sequence[Fold], *, gpu: bool) -> None:
    """Check what a design enumerates, or a small finite space, whole; of any other space, that some of it is possible.

    A configuration of a large space that turns out to be impossible once it is drawn ends as failed, with the same
    sentence.

    Raises
    ------
    UserError
        naming the YAML, the fold and the changes of the first configuration that cannot run.
    """
    divided = [(fold, split(dataset, fold)) for fold in folds]

    def problem(config: ConfigurationBlock, changes: dict[str, object]) -> UserError | None:
        for fold, splits in divided:
            try:
                check_feasible(config, dataset, fold, splits)
                if sweep.config.trial.replicates == "stacked":
                    refuse_unstackable(config.balance.kind)
            except UserError as error:
                drawn = ", ".join(f"{path}: {word(value)}" for path, value in changes.items())
                return UserError(
                    f"{sweep.path}: {fold.name}: {error}" + (f" (drawn: {drawn})" if drawn else "")
                )
        return None

    whole = [(sweep.resolved(arm.changes, gpu=gpu), dict(arm.changes)) for arm in sweep.arms()]
    finite = unplanned(sweep, (), gpu=gpu)
    if not whole and finite is not None:
        walked = list(islice(finite, EXHAUSTIVE + 1))
        whole = walked if len(walked) <= EXHAUSTIVE else []
    if whole:
        for config, changes in whole:
            fault = problem(config, changes)
            if fault is not None:
                raise fault
        return
    first: UserError | None = None
    for changes in probe(sweep.space):
        try:
            config = sweep.resolved(changes, gpu=gpu)
        except ConfigError:
            continue
        fault = problem(config, changes)
        if fault is None:
            return
        first = first or fault
    if first is not None:
        raise first
