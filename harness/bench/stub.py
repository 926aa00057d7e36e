"""The driver of a sweep with a loop in Ray's place: what proposes, remembers, shows and compacts is the real one."""

from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from harness.config.blocks.sweep import SamplerBlock
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.sweep import load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.store.compaction import Compactor
from harness.store.writer import RunWriter
from harness.sweep.search.curves import Curves
from harness.sweep.search.proposer import Proposer
from harness.sweep.search.scheduling import scheduler_of
from harness.sweep.search.study import Study
from harness.sweep.show.board import Board
from harness.sweep.show.callbacks import BoardCallback
from harness.sweep.show.display import Display

EPOCHS = 5
RP24 = SEARCH_SPACES / "rp24.yaml"
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))


class StubExecutor:
    """Feeds the driver of a search over the space of a sweep's `yaml` with made-up results of `trials` configurations.

    What Ray Tune asks of a searcher, a scheduler and a callback is asked in its order; as in Tune the assignment and the
    last result of every trial are kept. What a worker would write of a unit is a row of `units` and of `epochs`.
    """

    def __init__(
        self, folder: Path, trials: int, sampler: str, *, yaml: Path = RP24, epochs: int = EPOCHS
    ) -> None:
        self.epochs, self.total = epochs, trials
        sweep = load_sweep(yaml, overrides=[f"trials={trials}", f"trial.epochs={epochs}"])
        plan = Plan.of(sweep, folds=[FOLD], data="0" * 64)
        plan.save(folder)
        study = Study(
            folder / "study.log",
            name="bench",
            objective=sweep.config.objective,
            sampler=SamplerBlock.model_validate({"kind": sampler}),
            space=sweep.space,
        )
        board = Board(total=trials, larger_is_better=True, folds={FOLD.id: FOLD.name})
        curves, self._compactor, self._store = Curves({}), Compactor(folder), RunWriter(folder)
        self.proposer = Proposer(
            sweep,
            plan,
            study,
            board,
            run=folder,
            pending={},
            reached={},
            curves=curves,
            new=trials,
            gpu=False,
            view=lambda config: folder,
            phase1=lambda config: None,
            give_up=lambda units: None,
            ended=self._compactor.collect,
        )
        display = Display(Console(file=StringIO(), markup=False, quiet=True), board, sweep.config.objective)
        self._callback = BoardCallback(board, display, lambda: None, pause=lambda: None)
        block = sweep.config.scheduler
        self._scheduler = scheduler_of(block, curves, sign=1, prune=lambda key, why: None, pruned=())
        self.trials: list[SimpleNamespace] = []

    def run(self, count: int, proposed: Callable[[], object] = lambda: None) -> None:
        """Propose `count` configurations, `proposed()` after each, and let each report its epochs and end."""
        for _ in range(count):
            trial = self.begin(proposed)
            for epoch in range(1, self.epochs + 1):
                self.advance(trial, epoch)
            self.proposer.on_trial_complete(trial.trial_id, trial.last_result)

    def begin(self, proposed: Callable[[], object] = lambda: None) -> SimpleNamespace:
        """Propose a configuration and start it."""
        name = f"trial{len(self.trials)}"
        config = self.proposer.suggest(name)
        assert isinstance(config, dict)
        proposed()
        trial = SimpleNamespace(config=config, trial_id=name, num_failures=0, last_result={})
        self.trials.append(trial)
        self._callback.on_trial_start(0, self.trials, trial)
        self._written(config)
        return trial

    def advance(self, trial: SimpleNamespace, epoch: int) -> None:
        """Let a trial report an epoch."""
        trial.last_result = _report(trial.config, epoch, self.epochs)
        if self._scheduler is not None:
            self._scheduler.on_trial_result(None, trial, trial.last_result)
        self.proposer.on_trial_result(trial.trial_id, trial.last_result)
        self._callback.on_trial_result(0, self.trials, trial, trial.last_result)
        self._callback.on_step_end(0, self.trials)

    def _written(self, config: Mapping[str, Any]) -> None:
        key = {"config": config["configuration"], "fold": config["fold"], "seed": config["seeds"][0]}
        self._store.write("units", _unit(config), [{**key, "status": "done", "epochs": self.epochs}])
        epochs = [
            {**key, "epoch": epoch, "phase": 2, "loss": 1 / epoch} for epoch in range(1, self.epochs + 1)
        ]
        self._store.write("epochs", _unit(config), epochs)


def _unit(config: Mapping[str, Any]) -> str:
    return f"{config['configuration']}-{config['fold']}-{config['seeds'][0]}"


def _report(config: Mapping[str, Any], epoch: int, last: int) -> dict[str, Any]:
    value, ended = int(config["configuration"], 16) % 997 / 997, epoch == last
    return {
        "configuration": config["configuration"],
        "fold": config["fold"],
        "epoch": epoch,
        "objective": value * epoch / last,
        "status": "done" if ended else "running",
        "ended": [_unit(config)] if ended else [],
        "diverged": 0,
        "reason": "",
        "metrics": [("train_aupr", value)],
        "warned": [],
        "seconds": 1.0,
        "notes": [],
        "paused": "",
    }
