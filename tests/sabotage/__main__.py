"""`python -m tests.sabotage`: break every mechanism in every way, and see which the audit catches."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.errors import UserError, nearest, run_cli
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import Mechanism
from harness.shell import terminal
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.contracts.settings import alone
from tests.harness.conftest import TINY
from tests.sabotage.kinds import KINDS, caught, sabotage

DESCRIPTION = """The audit of a trial (key `audit: strict | warn | off`) judges every configured mechanism; its verdicts are
in table `audit` of a run. This command proves the audit itself: every mechanism is broken on the real classes, in
every way that applies to it, on a tiny synthetic trial; the audit has to call each inert or leaking.

examples:
  python -m tests.sabotage                       # the whole table, about two minutes
  python -m tests.sabotage --only gated pearson"""
SHORT: dict[str, Any] = {
    **TINY,
    "support": {"size": 8, "draws": 1},
    "optimiser": {"epochs": 1, "steps_per_epoch": 4},
}
DATA = DataBlock(
    synthetic=SyntheticBlock(
        form="gated",
        cell_lines=7,
        pairs_per_cell=60,
        chromosomes=4,
        motifs=4,
        enhancer_bp=80,
        promoter_bp=100,
    )
)


def main() -> int:
    """Entry point; the exit status is 1 when a broken mechanism was not caught, 2 for a mistake in what was given."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sabotage",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", metavar="KEY", default=[], help="keys of python -m harness.mechanisms"
    )
    arguments = parser.parse_args()
    rows = [row for row in catalogue() if row.cls is not None]
    for key in arguments.only:
        if key not in {row.key for row in rows}:
            raise UserError(
                f"--only {key}: no module or loss term has this key{nearest(key, [r.key for r in rows])}"
            )
    torch.set_num_threads(1)
    console = terminal.console()
    shown = Table("id", "mechanism", *KINDS, box=SIMPLE_HEAD, pad_edge=False)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(DATA, enhancer_bp=400, promoter_bp=1600, cache=Path(folder), progress=False)
        fold = make_folds(dataset, DATA)[0]
        for row in rows:
            if arguments.only and row.key not in arguments.only:
                continue
            words = [outcome(row, kind, dataset, fold, Path(folder)) for kind in KINDS]
            missed += words.count("NOT CAUGHT")
            shown.add_row(row.id, row.key, *words)
            if console.is_terminal:
                console.print(f"{row.id} {row.key}", style="dim")
    console.print(shown)
    console.print(f"{missed} not caught; - : the kind does not apply")
    return 1 if missed else 0


def outcome(row: Mechanism, kind: str, dataset: EncodedDataset, fold: Fold, folder: Path) -> str:
    """`caught`, `NOT CAUGHT`, `-` where the kind does not apply, or why the tiny trial cannot have the mechanism."""
    context = sabotage(row, kind)
    if context is None:
        return "-"
    with context:
        try:
            config = compose(SHORT, alone(row)).resolved()
            unit_run = UnitRun(config, dataset, fold, 0, RunWriter(folder / "run" / row.key / kind))
        except UserError as error:
            return f"not run: {error}"
        found = caught(unit_run, row, kind)
    return f"caught ({found.verdict})" if found else "NOT CAUGHT"


if __name__ == "__main__":
    run_cli(main)
