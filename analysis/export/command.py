"""`python -m analysis export RUN --to TRACKER`."""

import contextlib
import time
from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.errors import UserError
from analysis.export.exporter import Exported, Exporter
from analysis.export.trackers import TRACKERS
from analysis.output import counted
from analysis.paths import user_path
from analysis.terminal import unread_view

_HELP = """\
Give a tracker what the store of a run has: one tracked run per unit (all keys of the configuration, metrics per epoch,
final metrics per cell line, status, stamps and warnings as tags), and one per configuration with the mean over seeds
within a fold, then over folds, and its 95 % t-interval. A second export adds only what is new, what the tracker has no
longer, and what could not all be read before.
"""

_EPILOG = """\
trackers:
  csv          three tables (units, configurations, epochs), nothing to install
  tensorboard  event files                       pip install tensorboard
  mlflow       OUT/mlflow.db (SQLite)            pip install mlflow-skinny
  trackio      a local trackio project           pip install trackio
  wandb        offline runs, for `wandb sync`    pip install wandb

examples:
  python -m analysis export runs/rp24 --to csv
  python -m analysis export runs/rp24 --to tensorboard --out boards/rp24
  python -m analysis export runs/rp24 --to mlflow --out tracking        many runs may share one --out of mlflow

A sweep does the same for each configuration as it ends: `track: [csv, tensorboard]` in its YAML.

exit status: 0; 1 where a file of the run cannot be read and nothing else holds its rows; 2 for a mistake
"""


def export_command(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    parser = command_parser("python -m analysis export", _HELP, _EPILOG)
    parser.add_argument("run", metavar="RUN", type=user_path, help="folder of the run, e.g. runs/rp24")
    parser.add_argument("--to", required=True, metavar="TRACKER", help=", ".join(TRACKERS))
    parser.add_argument(
        "--out", type=user_path, metavar="DIR", help="where it goes (default: RUN/export/TRACKER)"
    )
    options = parser.parse_args(argv)
    began = time.monotonic()
    exporter = Exporter(options.run, options.to, options.out)
    try:
        with contextlib.closing(exporter):
            run = exporter.whole()
    except OSError as error:  # a full disk may be met when the last lines are flushed
        exporter.abandon()
        raise UserError(f"{exporter.out} cannot be written ({error.strerror or error})") from None
    if not exporter.exported.units and not exporter.exported.unchanged and not exporter.exported.running:
        raise UserError(f"{run.path}: no units to export, {run.without_units()}")
    console.print(_sentence(exporter.exported, options.to, time.monotonic() - began), soft_wrap=True)
    if exporter.exported.edited:
        console.print(
            f"changed since it was written, and left so: {exporter.exported.edited}; remove the rows to have them written "
            "again",
            style="yellow",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    console.print(
        f"written to  {exporter.out}\nlook at it   {TRACKERS[options.to].opened.format(out=exporter.out)}",
        soft_wrap=True,
    )
    for part in unread_view(run):
        console.print(part, soft_wrap=True)
    return 1 if run.lost else 0


def _sentence(exported: Exported, tracker: str, seconds: float) -> str:
    """`exported to csv: 12 units and 4 configurations in 0.4 s; 3 were there already`."""
    new = f"{counted(exported.units, 'unit')} and {counted(exported.configurations, 'configuration')}"
    text = f"exported to {tracker}: {new} in {seconds:.1f} s"
    if not exported.units and not exported.configurations:
        text = f"nothing new to export to {tracker}"
    if exported.replaced:
        text += f", {exported.replaced} of them in place of an earlier one"
    if exported.incomplete:
        text += f", {exported.incomplete} of less than the run had: export again when its files are mended"
    if exported.unchanged:
        text += f"; {exported.unchanged} are there already"
    if exported.running:
        text += f"; {counted(exported.running, 'unit')} still running: export again when they have ended"
    return text
