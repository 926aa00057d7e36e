"""`python -m harness.single CONFIG`: one configuration alone, without Ray."""

import contextlib
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from analysis.arguments import SentenceParser, command_parser
from analysis.errors import UserError, nearest, shorten
from analysis.nearest_path import nearest_path
from analysis.paths import user_path
from analysis.rules import Finding, not_evaluated, why
from analysis.schema import LEAKING, MACRO, POOLED
from harness.audit.finding import lines
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.acting import unread
from harness.config.blocks.data import CONTRADICTIONS, Contradictions, DataBlock, parse_source
from harness.config.blocks.sweep import LARGEST_SEED, SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset, shipped
from harness.config.sweep.overrides import SAME, refuse_twice, settable
from harness.config.sweep.placed import check_placed
from harness.config.sweep.use import load_use, place_of, read_use
from harness.config.yaml.lines import parse_scalar, read_yaml
from harness.data.folds import Fold, make_folds
from harness.data.folds import split as divide
from harness.data.pair_table import write_pairs
from harness.data.store import open_dataset
from harness.shell import terminal
from harness.shell.arguments import whole
from harness.stamp.code import Code
from harness.stamp.stamp import Stamp, refuse_beside
from harness.store.mending import mend
from harness.store.storage import StoreUnwritable, check_shareable
from harness.store.trial_lock import at_work
from harness.store.writer import RunWriter
from harness.trial.device import choose_device, exact_float32
from harness.trial.episodes.feasible import check_feasible
from harness.trial.memory import keep_freed_memory
from harness.trial.trying import try_brought
from harness.trial.unit_run import UnitRun

SAME_EPOCHS = ("optimiser.epochs", "trial.epochs")
"""Settings that --epochs stands for."""
OBJECTIVE = "val_unseen/macro/aupr"
"""By which the weights of a trial run alone are selected."""
DESCRIPTION = """Train, validate and predict one configuration: the full episodic loop on one fold, for each seed.

CONFIG is a preset (minimal, cross_attention, rp04, rp24, or a YAML like search_spaces/presets/rp24.yaml) or a
sweep (search_spaces/rp24.yaml), of which the base configuration is run.

examples:
  python -m harness.single minimal
  python -m harness.single rp24 --data synthetic:modulated --set environment.scope=sample --seeds 0 1 2
  python -m harness.single rp24 --data ../data/epi --epochs 5 --out runs/one"""


def main() -> int:
    arguments = _parser().parse_args()
    check_seeds(arguments.seeds)
    console = terminal.console()
    load_use(read_use(arguments.use, ["--use"] * len(arguments.use)))
    check_placed()
    config, data = load(arguments.config, arguments.set, arguments.data, arguments.contradictions)
    epochs = [text for text in arguments.set if text.partition("=")[0].strip() in SAME_EPOCHS]
    if arguments.epochs is not None and epochs:
        raise UserError(
            f"--epochs {arguments.epochs}: --set {shorten(epochs[0])} gives them, too; leave one out"
        )
    if arguments.epochs is not None:
        config = compose(config.canonical(), {"optimiser.epochs": arguments.epochs})
    chosen = choose_device()
    device = chosen.name
    config = config.resolved(gpu=chosen.gpu)
    try_brought(config)
    if chosen.sentence:
        terminal.tell(console, f"note: {chosen.sentence}", "yellow")
    exact_float32()
    keep_freed_memory()
    if not chosen.gpu:
        torch.set_num_threads(arguments.threads)
    model = config.model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    dataset = open_dataset(
        data,
        enhancer_bp=model.enhancer_bp,
        promoter_bp=model.promoter_bp,
        cache=arguments.cache,
        progress=console.is_terminal,
    )
    fold = choose_fold(make_folds(dataset, data), arguments.fold)
    check_feasible(config, dataset, fold, divide(dataset, fold))  # before there is a folder to leave behind
    folder = arguments.out or Path("runs") / f"trial-{config.id}"
    check_shareable(folder)
    run = RunWriter(folder)
    stamp = Stamp(data=dataset.hash, objective=OBJECTIVE)
    refuse_beside(stamp, run.path)
    for sentence in mend(run.path):
        terminal.tell(console, f"note: {sentence}", "yellow")
    Code.today().save(run.path)
    write_pairs(dataset, [fold], run.path)
    console.print(
        f"{arguments.config} configuration {config.id} on {device} ({model.words()}): {len(dataset)} pairs of "
        f"{len(dataset.cell_lines)} cell lines ({dataset.origin})\nfold {fold.name}: test {', '.join(fold.test)}; "
        f"validation {', '.join(fold.val)}; held out {', '.join(fold.chromosomes)}"
    )
    for note in dataset.notes:
        terminal.tell(console, f"read: {note}")
    statuses: list[str] = []
    stopped = False
    with at_work(run.path), _saying_how_to_go_on(run.path, console):
        for seed in arguments.seeds:
            unit_run = UnitRun(
                config,
                dataset,
                fold,
                seed,
                run,
                device=device,
                inspector=AuditInspector,
                twins=not statuses,
                stamp=stamp,
                objective=OBJECTIVE,
            )
            for note in unit_run.record.notes:
                terminal.tell(console, f"note: {note}", "yellow")
            statuses.append(_run_seed(unit_run, console))
            stopped = unit_run.stopped_by_audit
            if stopped:
                break  # what is dead or broken in one seed is dead or broken in all
    again = shlex.join(["python", "-m", "analysis", str(run.path)])
    console.print(f"rows are in {run.path}; rank or compare with: {again}", soft_wrap=True)
    return 1 if stopped or "diverged" in statuses else 0


@contextlib.contextmanager
def _saying_how_to_go_on(run: Path, console: Console) -> Iterator[None]:
    """At Ctrl-C say what stays."""
    try:
        yield
    except KeyboardInterrupt:
        terminal.tell(
            console, f"{run} keeps the finished epochs: the same command goes on after the last one", "yellow"
        )
        raise


def check_seeds(seeds: list[int]) -> None:
    """Refuse a seed that is given twice: it would be one unit that counts twice."""
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise UserError(
            f"--seeds: {', '.join(map(str, twice))} given more than once; expected every seed once, "
            f"as in --seeds {' '.join(map(str, dict.fromkeys(seeds)))}"
        )


def load(
    name: str, sets: list[str], source: str | None, contradictions: Contradictions = "refuse"
) -> tuple[ConfigurationBlock, DataBlock]:
    """The configuration and data block that CONFIG, --set, --data and --contradictions name.

    A folder in place of a sweep YAML's data keeps the other keys of its data block (folds, contradictions).
    """
    refuse_twice(sets)
    path = user_path(name)
    data = parse_source(source, contradictions) if source else None
    if path.suffix in (".yaml", ".yml") and not path.exists():
        raise UserError(
            f"{path}: there is no such file (expected a preset or sweep YAML, or a preset's name)"
            f"{nearest_path(path, also=shipped())}"
        )
    if path.is_file() and "base" in read_yaml(path).data:
        from harness.config.sweep.sweep import load_sweep

        for text in sets:
            _check_of_one_trial(text)
        asked = [] if contradictions == "refuse" else [f"data.contradictions={contradictions}"]
        synthetic = data is not None and data.root is None
        sweep = load_sweep(
            path, overrides=[*sets, *([] if synthetic else asked)], data_root=data.root if data else None
        )
        return sweep.trial, data if data is not None and synthetic else sweep.config.data
    preset = read_yaml(path).data if path.is_file() else load_preset(name)
    changes = dict(map(_assignment, sets))
    config = compose(preset, changes)
    for key, needs in unread(config, changes).items():
        raise UserError(f"--set {key}: nothing reads it here; it acts only with {needs}")
    return config, data or parse_source("synthetic", contradictions)


def _check_of_one_trial(text: str) -> None:
    """Refuse a setting of a sweep that one configuration alone does not read."""
    path = text.partition("=")[0].strip()
    block = path.split(".")[0]
    if block in SweepBlock.model_fields and block not in ("base", "data") and path not in SAME:
        instead = "; --seeds gives the seeds" if path == "trial.seeds" else ""
        raise UserError(f"--set {shorten(text)}: nothing reads it in one trial alone{instead}")


def _assignment(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UserError(f"--set {shorten(text)}: expected path=value, for example --set optimiser.lr=0.002")
    try:
        return path.strip(), parse_scalar(value)
    except ValueError as error:
        raise UserError(f"--set {shorten(text)}: {error}") from None


def choose_fold(folds: list[Fold], name: str | None) -> Fold:
    """The fold called `name`, or the first."""
    if name is None:
        return folds[0]
    by_name = {fold.name: fold for fold in folds}
    if name not in by_name:
        raise UserError(f"--fold {name}: the folds are {', '.join(by_name)}{nearest(name, by_name)}")
    return by_name[name]


def _run_seed(unit_run: UnitRun, console: Console) -> str:
    """Advance to the end, one line per epoch; then the final metrics and the warnings."""
    seed, epochs = unit_run.seed, unit_run.config.optimiser.epochs
    parameters, pairs = unit_run.row["parameters"], unit_run.row["train_pairs"]
    console.print(
        f"seed {seed}: {parameters:,} trainable parameters for {pairs:,} training pairs, "
        f"{parameters / pairs:.3g} per pair"
    )
    if unit_run.epoch:
        console.print(f"seed {seed}: continues after epoch {unit_run.epoch} ({unit_run.status})")
    with Progress(
        TextColumn("seed {task.fields[seed]} epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        told = set(lines(unit_run.audited))
        task = progress.add_task("", seed=seed, epoch=unit_run.epoch + 1, total=unit_run.sampler.steps)
        while not unit_run.finished:
            progress.update(task, epoch=unit_run.epoch + 1, completed=0)
            try:
                summary = unit_run.advance(
                    lambda done, total: progress.update(task, completed=done, total=total)
                )
            except StoreUnwritable:
                raise
            except UserError as error:
                unit_run.close("failed", str(error))
                raise
            except (Exception, SystemExit, GeneratorExit) as error:
                place = place_of(error)
                reason = (
                    f"{place}: {type(error).__name__}: {error}"
                    if place
                    else f"{type(error).__name__}: {error}"
                )
                unit_run.close("failed", reason)
                if place:
                    raise UserError(reason) from error
                raise
            figures = "  ".join(f"{name} {value:.4f}" for name, value in summary.metrics.items())
            for moment, line in lines(unit_run.audited).items():
                if moment not in told:
                    console.print(f"seed {seed} audit ({moment}): {line}")
            told = set(lines(unit_run.audited))
            if not summary.epoch:
                continue  # it ended before the first one
            console.print(
                f"seed {seed} epoch {summary.epoch:>3}/{epochs}  loss {summary.loss:.4f}  {figures}"
            )
    if unit_run.row["reason"]:
        console.print(f"seed {seed}: {unit_run.status}: {unit_run.row['reason']}", style="yellow")
    if unit_run.epoch and unit_run.status != "diverged":
        console.print(_final_table(unit_run))
    _print_warnings(unit_run, console)
    return unit_run.status


def _final_table(unit_run: UnitRun) -> Table:
    """Macro and pooled figures of the selected epoch, U_I alone beside the corrected score, in at most 80 columns."""
    rows = {
        (row["split"], row["cell_line"], row["score"]): row
        for row in unit_run.rows("cells")
        if (row["selection"], row["prevalence_mode"], row["protocol"])
        == ("best_on_validation", "as_found", "exact")
    }
    epoch = unit_run.row["selected_epoch"]
    table = Table(
        title=f"seed {unit_run.seed}, epoch {epoch} (best on validation), as found; test is for reporting only",
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
    )
    shown = ("auc", "f1", "precision", "recall", "threshold", "threshold_logit", "nll")
    # Short ones, so that 80 columns have room for all digits.
    first = ("split", "", "n", "AUPR\nU_I", "\nAUPR", "\nAUC")
    columns = (*first, "\nF1", "\nprec", "\nrecall", "\nthr.", "thr.\nlogit", "\nNLL")
    for column in columns:
        table.add_column(column, justify="left" if column in ("split", "") else "right", no_wrap=True)
    for split in ("train", "val_seen", "val_unseen", "test"):
        for level in (MACRO, POOLED):
            alone, row = rows[split, level, "u_only"], rows[split, level, "corrected"]
            figures = (alone["aupr"], row["aupr"], *(row[name] for name in shown))
            table.add_row(split, level, str(row["n"]), *(f"{value:.3f}" for value in figures))
    for level in (MACRO, POOLED):
        if ("test", level, LEAKING) in rows:
            row = rows["test", level, LEAKING]
            shown_here = [
                "" if row[name] is None or row[name] != row[name] else f"{row[name]:.3f}" for name in shown
            ]
            table.add_row("test leaks", level, str(row["n"]), "", f"{row['aupr']:.3f}", *shown_here)
            table.caption = (
                "leaks: branch_select, the better of U_I and corrected per test cell line by its test AUPR"
            )
    return table


def _print_warnings(unit_run: UnitRun, console: Console) -> None:
    findings: list[Finding] = unit_run.findings()
    for finding in findings:
        where = f" in {finding.cell_line}" if finding.cell_line else ""
        since = f", from epoch {finding.epoch}" if finding.epoch is not None else ""
        console.print(
            Text.assemble(
                (finding.rule, "yellow"),
                f"{where} ({finding.severity}{since}): {finding.evidence} ",
                (f"({finding.source}; try: {finding.advice})", "dim"),
            )
        )
    if not findings:
        console.print("no warning rule holds", style="green")
    for rule, missing in not_evaluated(unit_run.records()).items():
        console.print(f"{rule}: not evaluated: {why(missing)}", style="dim")


def _parser() -> SentenceParser:
    parser = command_parser("python -m harness.single", DESCRIPTION, settings=partial(settable, alone=True))
    parser.add_argument("config", metavar="CONFIG", help="preset name, preset YAML or sweep YAML")
    parser.add_argument(
        "--data", metavar="ROOT|synthetic:FORM", help="dataset folder, or synthetic benchmark (default)"
    )
    parser.add_argument(
        "--contradictions", choices=get_args(Contradictions), default="refuse", help=CONTRADICTIONS
    )
    parser.add_argument(
        "--seeds", type=whole("--seeds", 0, LARGEST_SEED), nargs="+", default=[0], help="seeds (default: 0)"
    )
    parser.add_argument(
        "--epochs", type=whole("--epochs", 1, 10_000), help="epochs in place of optimiser.epochs"
    )
    parser.add_argument("--fold", help="name of the fold (default: the first)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override one key; may be repeated"
    )
    parser.add_argument(
        "--use",
        type=user_path,
        action="append",
        default=[],
        metavar="FILE",
        help="Python file that registers what is your own; may be repeated",
    )
    parser.add_argument(
        "--out", type=user_path, help="run folder (default: runs/trial-ID); an interrupted one continues"
    )
    parser.add_argument(
        "--cache", type=user_path, default=Path(".cache/data"), help="encoded data (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=whole("--threads", 1, 1024),
        default=1,
        help="CPU threads of torch (default: %(default)s)",
    )
    return parser
