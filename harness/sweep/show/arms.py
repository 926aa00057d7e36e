"""The arms of a design before it runs, readable at a glance."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.config.blocks.design import Arm
from harness.config.space.distributions import word
from harness.config.sweep.sweep import Sweep
from harness.shell.terminal import tell


def print_arms(console: Console, sweep: Sweep) -> None:
    """The named arms of a design: what each changes and what goes or comes with that, or the levels of its factors; and
    what the design says beside. Nothing for a design whose changes say all."""
    arms = sweep.arms()
    if any(arm.levels for arm in arms):
        console.print(_levels(arms))
    elif any(arm.name for arm in arms):
        console.print(_changes(arms))
    for line in sweep.config.of_design.lines(sweep.basis):
        tell(console, line, indent=2)


def _changes(arms: Sequence[Arm]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("arm", no_wrap=True)
    table.add_column("changes", overflow="fold")
    table.add_column("with it", overflow="fold")
    table.add_column("what it is", style="dim", overflow="fold")
    for arm in arms:
        changes = "\n".join(f"{path}={_value(value)}" for path, value in arm.changes.items())
        said = arm.family + (f": {arm.note}" if arm.note else "")
        table.add_row(*map(Text, (arm.name, changes, ", ".join(arm.along), said)))
    return table


def _levels(arms: Sequence[Arm]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", justify="right")
    for factor in arms[0].levels:
        table.add_column(factor, justify="center")
    for number, arm in enumerate(arms, start=1):
        table.add_row(str(number), *("+" if level > 0 else "-" for level in arm.levels.values()))
    return table


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else word(value)
