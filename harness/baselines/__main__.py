"""`python -m harness.baselines ROOT|synthetic:FORM`: what a dataset gives away without any interaction."""

import tempfile
from pathlib import Path
from typing import get_args

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.arguments import command_parser
from analysis.errors import run_cli
from analysis.paths import user_path
from analysis.schema import MACRO, POOLED
from harness.baselines.evaluate import SCORED
from harness.baselines.write import write_baselines
from harness.config.blocks.data import CONTRADICTIONS, Contradictions, DataBlock, parse_source
from harness.config.blocks.trial import SIZES
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.shell import terminal


def measure(block: DataBlock, cache: Path, *, progress: bool) -> pd.DataFrame:
    """The table `baselines` (analysis.schema) of every fold of `block`, from `cache` where it is known, with the
    folds' names in place of their identities."""
    size = SIZES["small"]
    dataset = open_dataset(
        block,
        enhancer_bp=size["enhancer_bp"],
        promoter_bp=size["promoter_bp"],
        cache=cache,
        progress=progress,
    )
    with tempfile.TemporaryDirectory() as run:
        folds = make_folds(dataset, block)
        files = write_baselines(dataset, folds, Path(run), cache, progress=progress)
        table = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
        return table.assign(fold=table["fold"].map({fold.id: fold.name for fold in folds}))


def show(table: pd.DataFrame, console: Console) -> None:
    """Print, per fold, each baseline's macro AUPR per split, pooled AUPR and NLL, strongest first."""
    for fold, rows in table.groupby("fold", sort=False):
        pairs = rows[rows.cell_line == POOLED].groupby("split")["n"].first()
        counts = ", ".join(f"{split} {pairs[split]}" for split in SCORED)
        shown = Table(
            "", *SCORED, "pooled", "NLL", title=f"{fold}: macro AUPR; pooled AUPR and NLL of val_unseen"
        )
        for column in shown.columns[1:]:
            column.justify = "right"
        macro = {split: _at(rows, split, MACRO) for split in SCORED}
        pooled = _at(rows, "val_unseen", POOLED)
        for name in macro["val_unseen"].sort_values("aupr", ascending=False).index:
            values = [macro[split].loc[name, "aupr"] for split in SCORED]
            shown.add_row(name, *(f"{x:.3f}" for x in [*values, *pooled.loc[name, ["aupr", "nll"]]]))
        chance = [table["prevalence"].iloc[0] for table in [*macro.values(), pooled]]
        shown.add_row("chance", *(f"{x:.3f}" for x in chance), "", style="dim")
        shown.caption = f"pairs: {counts}; test is for reporting only"
        console.print(shown)
    for name, note in table.groupby("baseline", sort=False)["note"].first().items():
        console.print(f"{name}: {note}", style="dim")


def show_cells(table: pd.DataFrame, console: Console) -> None:
    """Print AUPR per baseline, cell line and split."""
    for (fold, split), rows in table.groupby(["fold", "split"], sort=False):
        wide = rows.pivot_table(index="baseline", columns="cell_line", values="aupr", sort=False)
        shown = Table("", *wide.columns, title=f"AUPR, {fold}, {split}")
        for column in shown.columns[1:]:
            column.justify = "right"
        for name, values in wide.iterrows():
            shown.add_row(str(name), *(f"{value:.3f}" for value in values))
        console.print(shown)


def _at(rows: pd.DataFrame, split: str, cell_line: str) -> pd.DataFrame:
    return rows[(rows.split == split) & (rows.cell_line == cell_line)].set_index("baseline")


def main() -> int:
    """Entry point of the command line."""
    parser = command_parser(
        "python -m harness.baselines",
        "Fit every baseline on the training pairs of each fold and score the evaluation splits: k-mer "
        "logistic regression and gradient boosting on the promoter and on the pair, distance, locus lookup.",
        "example: python -m harness.baselines synthetic:gated --cells",
    )
    parser.add_argument("source", metavar="ROOT|synthetic:FORM", help="dataset folder or planted benchmark")
    parser.add_argument(
        "--contradictions", choices=get_args(Contradictions), default="refuse", help=CONTRADICTIONS
    )
    parser.add_argument("--cells", action="store_true", help="AUPR of every cell line, too")
    parser.add_argument(
        "--cache",
        type=user_path,
        default=Path(".cache/data"),
        help="encoded data and results (default: %(default)s)",
    )
    options = parser.parse_args()
    console = terminal.console()
    table = measure(
        parse_source(options.source, options.contradictions), options.cache, progress=console.is_terminal
    )
    show(table, console)
    if options.cells:
        show_cells(table, console)
    return 0


if __name__ == "__main__":
    run_cli(main)
