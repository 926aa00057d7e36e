"""`python -m harness.predict RUN CONFIG --pairs FILE --out FILE`: scores of new pairs, by what a run has trained."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.arguments import SentenceParser, command_parser
from analysis.errors import UserError
from analysis.output import counted
from analysis.paths import user_path
from analysis.spelt import cell_line_word
from analysis.store import Run
from harness.data.dataset import EncodedDataset
from harness.data.new_pairs import encoded_once, read_new_pairs
from harness.predict.ensemble import COLUMNS, predictions, score_pairs
from harness.predict.output import check_output, write_predictions
from harness.runs.choice import chosen_unit
from harness.shell import terminal
from harness.shell.arguments import whole
from harness.trained.caveats import caveats
from harness.trained.kept_units import KeptUnits
from harness.trained.model_folder import read_model
from harness.trained.trained_unit import TrainedUnit
from harness.trial.device import choose_device

DESCRIPTION = """\
Score new pairs, of new cell lines too, with what a run has trained: CONFIG is a configuration (as rankings
show it, energy=gated, its identity, or the beginning of that), of which all units with weights score together, or one unit
(CONFIG-FOLD-SEED).

FILE is a dataset folder, or a .bedpe, .csv or .parquet file of regions with --fasta. The support set of a cell line is
drawn from its own pairs in FILE, so that they should be a sample of the pairs that one wants to know about there. Labels
are not looked at. A cell line that was trained on goes by its name.
"""
EPILOG = (
    "columns, below a line that begins with # for each warning of the configuration:\n"
    + "\n".join(f"  {name:<12} {text}" for name, text in COLUMNS.items())
    + """

examples:
  python -m harness.predict runs/rp24 3f2a --pairs new.bedpe --fasta hg19.fa --cell-line HepG2 --out new.tsv
  python -m harness.predict runs/rp24 3f2a --pairs path/to/dataset --prevalence 0.05 --out new.bedpe
  python -m harness.predict runs/truth_gated energy=gated --pairs path/to/dataset --out new.tsv
  python -m harness.predict --model exported --pairs path/to/dataset --out new.tsv
"""
)


def parser() -> SentenceParser:
    """The command line."""
    made = command_parser("python -m harness.predict", DESCRIPTION, EPILOG)
    made.add_argument("run", metavar="RUN", type=user_path, nargs="?", help="folder of the run")
    made.add_argument("config", metavar="CONFIG", nargs="?", help="configuration or unit")
    made.add_argument(
        "--model", type=user_path, metavar="DIR", help="an exported model, in place of RUN and CONFIG"
    )
    made.add_argument("--pairs", type=user_path, metavar="FILE", required=True, help="the pairs to be scored")
    made.add_argument("--out", type=user_path, metavar="FILE", required=True, help=".tsv or .bedpe")
    made.add_argument("--fasta", type=user_path, metavar="FILE", help="genome of a file of regions")
    made.add_argument("--cell-line", metavar="NAME", help="cell line of all pairs of the file")
    made.add_argument("--fold", metavar="NAME", help="units of this fold alone")
    made.add_argument(
        "--draws", type=whole("--draws", 1, 1000), help="support draws (default: as configured)"
    )
    made.add_argument(
        "--prevalence",
        type=float,
        metavar="P",
        help="share of positives that is expected among the pairs (default: that of the validation pairs)",
    )
    return made


def main(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    options = parser().parse_args(argv)
    for source in (options.pairs, options.fasta):
        if source is not None and source.exists() and options.out.exists() and source.samefile(options.out):
            raise UserError(f"--out {options.out} is what the pairs are read from; give another file")
    check_output(options.out)
    if options.prevalence is not None and not 0 < options.prevalence < 1:
        raise UserError(f"--prevalence must lie between 0 and 1, not {options.prevalence:g}")
    units, warnings, notes = _units(options.model, options.run, options.config, options.fold)
    raw = read_new_pairs(options.pairs, options.fasta, options.cell_line)
    config = units[0].config
    assert config.model.enhancer_bp is not None
    assert config.model.promoter_bp is not None
    draws = options.draws or config.support.draws
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with (
        encoded_once(
            raw,
            str(options.pairs),
            enhancer_bp=config.model.enhancer_bp,
            promoter_bp=config.model.promoter_bp,
        ) as dataset,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("units", total=len(units))
        each = score_pairs(
            units,
            dataset,
            draws=draws,
            device=torch.device(choose_device().name),
            prevalence=options.prevalence,
            done=lambda unit: progress.advance(task),
        )
        rows = predictions(dataset, each)
        notes += [*dataset.notes, *_support_notes(dataset, units), *_loci_notes(dataset, units)]
    write_predictions(options.out, rows, warnings)
    terminal.warn(warnings)
    lines = ", ".join(dict.fromkeys(rows["cell_line"]))
    at = [unit.calibration.prevalence for unit in units]
    expected = f"{options.prevalence:g}" if options.prevalence is not None else f"{sum(at) / len(at):.3g}"
    console.print(
        f"{counted(len(rows), 'pair')} of {lines} by {counted(len(units), 'unit')} of {units[0].config.id}, "
        f"{counted(draws, 'support draw')} of {config.support.size} pairs each; probabilities are calibrated on unseen "
        f"validation pairs, for {expected} positives",
        soft_wrap=True,
    )
    for note in dict.fromkeys(notes):
        terminal.tell(console, f"note: {note}", "yellow")
    console.print(f"written to {options.out}", soft_wrap=True)
    return 0


def _units(
    model: Path | None, run: Path | None, config: str | None, fold: str | None
) -> tuple[list[TrainedUnit], list[str], list[str]]:
    """The units that score, what speaks against them, and what is to be said of others."""
    if model is not None:
        if run is not None or fold is not None:
            raise UserError(
                "--model takes the place of RUN, CONFIG and --fold; expected the one or the others"
            )
        exported = read_model(model)
        return exported.units, exported.warnings, []
    if run is None or config is None:
        raise UserError(
            "expected RUN and CONFIG, or --model DIR (python -m harness.predict --help says what it takes)"
        )
    opened = Run.open(run)
    identity, unit = chosen_unit(opened, config)
    kept = KeptUnits.of(opened, identity, only=unit, fold=fold)
    branch = kept.units[0].config.predict.mode == "branch_select"
    said = (
        ["predict.mode: branch_select chooses by labels, and is not applied to new pairs"] if branch else []
    )
    return kept.units, caveats(opened, identity), [*kept.lacking, *said]


def _loci_notes(dataset: EncodedDataset, units: Sequence[TrainedUnit]) -> list[str]:
    """How many pairs are where units were trained: what is measured by their labels is then no measure of new loci."""
    held = set[str].intersection(*(set(unit.fold["chromosomes"]) for unit in units))
    elsewhere = [code for code, name in enumerate(dataset.chromosomes) if name not in held]
    known = int((np.isin(dataset.chrom, elsewhere) | np.isin(dataset.promoter_chrom, elsewhere)).sum())
    if not known:
        return []
    return [
        f"{known} of {counted(len(dataset), 'pair')} on chromosomes that units were trained on (held out of all: "
        f"{', '.join(sorted(held)) or 'none'}): their labels would flatter these scores"
    ]


def _support_notes(dataset: EncodedDataset, units: Sequence[TrainedUnit]) -> list[str]:
    """Cell lines that units were trained on, or spelt almost as one that was, and those with fewer pairs than a support
    set."""
    size, trained_on = (
        units[0].config.support.size,
        Counter(name for unit in units for name in unit.cell_lines),
    )
    known = [name for name in dataset.cell_lines if name in trained_on]
    few = [name for code, name in enumerate(dataset.cell_lines) if int((dataset.cell == code).sum()) < size]
    said = [
        name if trained_on[name] == len(units) else f"{name} ({trained_on[name]} of {len(units)} units)"
        for name in known
    ]
    notes = [f"trained on, and therefore no new cell line: {', '.join(said)}"] if known else []
    words = {cell_line_word(name): name for name in trained_on}
    alike = [
        (name, words.get(cell_line_word(name), name)) for name in dataset.cell_lines if name not in known
    ]
    notes += [
        f"cell line {name} is scored as a new one, and the units were trained on one that is spelt {trained}; did you mean "
        f"'{trained}'?"
        for name, trained in alike
        if trained != name
    ]
    if few:
        notes.append(
            f"fewer pairs than the {size} of a support set, which is filled by drawing again: {', '.join(few)}"
        )
    return notes
