"""The arms of a design before it runs, readable at a glance."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.config.blocks.design import Arm
from harness.config.space.distributions import word
from harness.config.sweep.sweep import Sweep


def print_arms(console: Console, sweep: Sweep) -> None:
    """A row per named arm (what it changes, what goes or comes with that), and what the design says beside; nothing for a
    design whose changes say all."""
    arms = sweep.arms()
    if any(arm.name for arm in arms):
        console.print(_table(arms))
    for line in sweep.config.of_design.lines(sweep.basis):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _table(arms: list[Arm]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("arm", no_wrap=True)
    table.add_column("family", style="dim", no_wrap=True)
    table.add_column("changes", overflow="fold")
    table.add_column("with it", overflow="fold")
    table.add_column("", style="dim", overflow="fold")
    for arm in arms:
        changes = ", ".join(f"{path}={_value(value)}" for path, value in arm.changes.items())
        table.add_row(*map(Text, (arm.name, arm.family, changes, ", ".join(arm.along), arm.note)))
    return table


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else word(value)
