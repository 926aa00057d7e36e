"""What a start of the driver is for: a sweep of its own, or something that stands on one."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.dataset import EncodedDataset
from harness.design.plan import Plan
from harness.sweep.foresight import Cost
from harness.sweep.options import Options
from harness.sweep.report import conclude
from harness.sweep.start import Start
from harness.sweep.tuning import Outcome


class Task:
    """The sweep that a YAML asks for: where its run lies, what is said before and after it.

    `sides`: the run that has trained the sequence sides which its configurations share; None where they train their own.
    """

    sides: Path | None = None

    def __init__(self, options: Options) -> None:
        self.options = options

    def load(self, *settings: str) -> Sweep:
        """The sweep, under further settings `path=value`."""
        overrides = [*self.options.sets, *settings]
        return load_sweep(self.options.yaml, overrides=overrides, data_root=self.options.data)

    def designed(self, sweep: Sweep) -> str:
        """How its configurations come about, in a line of facts."""
        config = sweep.config
        return f"{config.design.kind}: {config.of_design.words(config.sampler.kind)}"

    def folder(self, sweep: Sweep) -> Path:
        """The folder of its run."""
        return (self.options.out or Path("runs") / sweep.config.name).absolute()

    def on(self, sweep: Sweep, dataset: EncodedDataset) -> Sweep:
        """The sweep with what follows from its data."""
        return sweep

    def foreseen(self, console: Console, sweep: Sweep, start: Start, cost: Cost | str | None) -> None:
        """What a dry run says beside cost and sight."""

    def check(self, sweep: Sweep, start: Start) -> None:
        """Refuse what is to run, before anything of it is printed or written."""

    def begin(self, sweep: Sweep, plan: Plan) -> None:
        """What is written before the first step, beside the plan."""

    def conclude(
        self,
        console: Console,
        run: Path,
        sweep: Sweep,
        start: Start,
        outcome: Outcome | None,
        ended: Sequence[str],
    ) -> int:
        """What a person reads at the end; the exit status."""
        return conclude(console, run, sweep.config, start, outcome, ended)
