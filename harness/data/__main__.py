"""`python -m harness.data describe|report ROOT|synthetic:FORM`: counts of a dataset and its default fold; what it gives
away."""

import argparse
import pkgutil
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.arguments import command_parser
from analysis.commands.of_run import add_language
from analysis.errors import UserError, run_cli
from analysis.language import in_language
from analysis.paths import user_path
from harness.config.blocks.data import CONTRADICTIONS, Contradictions, parse_source
from harness.data.folds import make_folds, split
from harness.data.scarce import scarce
from harness.data.store import open_dataset
from harness.shell import terminal
from harness.shell.arguments import whole

WIDEST = 1_000_000
"""Base pairs of the widest window."""
REPORT = "harness.shortcuts.command"
"""Where `report_command` is, what `report` does: it stands on the baselines, which stand on the data."""


def describe(
    source: str,
    *,
    enhancer_bp: int,
    promoter_bp: int,
    cache: Path,
    console: Console,
    contradictions: Contradictions = "refuse",
) -> None:
    """Print counts per cell line, sequence lengths, what reading changed and the default fold with what it drops."""
    block = parse_source(source, contradictions)
    dataset = open_dataset(
        block, enhancer_bp=enhancer_bp, promoter_bp=promoter_bp, cache=cache, progress=console.is_terminal
    )
    fold = make_folds(dataset, block)[0]
    parts, fault = None, None
    try:
        parts = split(dataset, fold)
    except UserError as error:  # the counts are what shows why
        fault = error
    role = {**dict.fromkeys(fold.test, "test"), **dict.fromkeys(fold.val, "val")}
    split_of = np.full(len(dataset), -1)
    shown = ("train", "val_seen", "val_unseen", "test") if parts is not None else ()
    for number, name in enumerate(shown):
        split_of[getattr(parts, name)] = number
    table = Table("cell line", "use", "pairs", "positive", *shown)
    for code, name in enumerate(dataset.cell_lines):
        mine = dataset.cell == code
        positive = f"{dataset.label[mine].mean():.1%}"
        counts = [str(int((split_of[mine] == number).sum())) for number in range(len(shown))]
        table.add_row(name, role.get(name, "train"), str(int(mine.sum())), positive, *counts)
    totals = [str(len(getattr(parts, name))) for name in shown]
    table.add_row("all", "", str(len(dataset)), f"{dataset.label.mean():.1%}", *totals, style="bold")
    say = partial(terminal.tell, console)
    say(dataset.origin, "bold")
    console.print(table)
    for side, matrix in (("enhancers", dataset.enhancers), ("promoters", dataset.promoters)):
        length = dataset.sequence_lengths(side)
        say(
            f"{side}: {len(length)} distinct sequences of {length.min()} to {length.max()} bp (median "
            f"{int(np.median(length))}), windows of {matrix.shape[1]} bp"
        )
    if dataset.feature_names is not None:
        say(f"features of every cell line: {len(dataset.feature_names)}")
    for note in dataset.notes:
        say(f"read: {note}")
    say(f"held-out chromosomes: {', '.join(fold.chromosomes)}")
    if parts is None:
        assert fault is not None
        raise fault
    for reason, count in parts.dropped.items():
        say(f"not used, {reason}: {count}")
    for sentence in scarce(dataset, [fold]):
        say(f"note: {sentence}", "yellow")
    say(f"store: {dataset.path}")


def main() -> int:
    """Entry point of the command line."""
    parser = command_parser("python -m harness.data", str(__doc__))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("describe", help="counts per cell line and the default fold")
    command.add_argument("source", metavar="ROOT|synthetic:FORM", help="dataset folder, or a planted form")
    command.add_argument(
        "--contradictions",
        choices=get_args(Contradictions),
        default="refuse",
        help=CONTRADICTIONS,
    )
    command.add_argument(
        "--enhancer-bp",
        type=whole("--enhancer-bp", 1, WIDEST),
        default=1000,
        help="centre crop of enhancers (1000)",
    )
    command.add_argument(
        "--promoter-bp",
        type=whole("--promoter-bp", 1, WIDEST),
        default=4000,
        help="centre crop of promoters (4000)",
    )
    command.add_argument(
        "--cache", type=user_path, default=Path(".cache/data"), help="where encoded datasets are kept"
    )
    command.set_defaults(run=_describe)
    report = commands.add_parser(
        "report", help="shortcuts, shared loci, contradictions; terminal, JSON, HTML"
    )
    report.add_argument("source", metavar="ROOT|synthetic:FORM", help="dataset folder, or a planted form")
    report.add_argument(
        "--out", type=user_path, default=Path("data-report"), help="folder of the report (data-report)"
    )
    report.add_argument(
        "--cache", type=user_path, default=Path(".cache/data"), help="where encoded datasets are kept"
    )
    add_language(report)
    report.set_defaults(run=_report)
    options = parser.parse_args()
    status: int = options.run(options)
    return status


def _describe(options: argparse.Namespace) -> int:
    describe(
        options.source,
        enhancer_bp=options.enhancer_bp,
        promoter_bp=options.promoter_bp,
        cache=options.cache,
        console=terminal.console(),
        contradictions=options.contradictions,
    )
    return 0


def _report(options: argparse.Namespace) -> int:
    """Contradictory pairs are left out and counted, where a start would refuse them."""
    synthetic = options.source.partition(":")[0] == "synthetic"
    with in_language(options.lang):
        block = parse_source(options.source, "refuse" if synthetic else "drop")
        status: int = pkgutil.resolve_name(f"{REPORT}:report_command")(
            block, options.out, options.cache, terminal.console(), options.lang
        )
    return status


if __name__ == "__main__":
    run_cli(main)
