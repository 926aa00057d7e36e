"""`python -m harness.bench [BENCH|all]`: speed as a ratio to the plain way of the same work."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from analysis.arguments import command_parser
from analysis.errors import UserError, run_cli
from analysis.paths import user_path
from harness.bench.batches import bench_batches
from harness.bench.cached import bench_cached
from harness.bench.contracts import SIZES, bench_contracts
from harness.bench.documented import bench_documented
from harness.bench.earlier import NotInClone, bench_earlier
from harness.bench.evaluation import bench_evaluation
from harness.bench.figures_file import check_file, write
from harness.bench.gpu import bench_gpu
from harness.bench.grid import SMALL, TINY
from harness.bench.growth import STUBBED, THROUGH_RAY, bench_growth
from harness.bench.kept import KEPT, QUICK_KEPT, bench_kept
from harness.bench.measurement import Measurement
from harness.bench.ranking import SEEDS, bench_ranking
from harness.bench.report import bench_report
from harness.bench.rules import EPOCHS, QUICK_EPOCHS, bench_rules
from harness.bench.scale import bench_scale
from harness.bench.sizes import DOCUMENTED, QUICK, QUICK_UNITS, STEP, BenchSize
from harness.bench.stem import bench_stem
from harness.bench.step import bench_step
from harness.bench.sweep import bench_sweep
from harness.bench.trials import LINES, TRIALS, bench_memory, bench_trials
from harness.bench.twins import PRESETS, bench_cached_twins, bench_twins
from harness.bench.twins import SIZES as TWINS_SIZES
from harness.bench.unit import bench_unit
from harness.shell import terminal
from harness.trial.device import choose_device, exact_float32

BENCHES = (
    "stem", "step", "earlier", "evaluation", "batches", "sweep", "ranking", "report", "driver", "store", "growth", "trials",
    "rules", "contracts", "twins", "cached", "gpu",
)  # fmt: skip
USES = {
    "batch": ("stem", "step", "batches", "sweep"),
    "units": ("ranking", "driver", "report"),
    "through_ray": ("growth",),
    "data": ("evaluation",),
}
"""Options that only these benches read."""
UNITS = 10_000


def measure(
    chosen: str,
    *,
    quick: bool,
    batch: int | None,
    units: int,
    through_ray: Sequence[int],
    data: Path | None,
    device: torch.device,
    console: Console,
) -> Iterator[Measurement]:
    """The measurements of one bench or of all, each as soon as it is there."""

    def at(size: BenchSize) -> BenchSize:
        size = QUICK if quick else size
        return size if batch is None else replace(size, batch=batch)

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    for name in BENCHES if chosen == "all" else (chosen,):
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
            size = at(DOCUMENTED if name == "stem" else STEP)
            if name == "ranking":
                bar.add_task(f"ranking of {units} units", total=None)
                yield bench_ranking(QUICK_UNITS if quick else units)
            elif name == "driver":
                bar.add_task("proposals, reports and ends", total=None)
                yield from bench_scale(units // SEEDS, quick=quick)
            elif name == "report":
                bar.add_task(f"report of {units} units", total=None)
                yield bench_report(QUICK_UNITS if quick else units)
            elif name == "store":
                bar.add_task("units and what they keep", total=None)
                yield bench_kept(*(QUICK_KEPT if quick else KEPT), twins=not quick)
            elif name == "sweep":
                bar.add_task("a sweep and its port", total=None)
                if quick:
                    yield bench_unit(TINY, "tiny data")
                    yield bench_documented(QUICK)
                else:
                    yield bench_unit(SMALL, "default synthetic data")
                    yield bench_sweep(SMALL, "default synthetic data")
                    yield bench_documented(at(DOCUMENTED))
            elif name == "growth":
                bar.add_task("trials through the driver", total=None)
                for trials in () if quick else through_ray:
                    yield bench_growth(trials, ray=True)
                yield bench_growth(QUICK_UNITS if quick else STUBBED, ray=False)
            elif name == "trials":
                bar.add_task("trials in one worker", total=None)
                yield bench_memory()
                for folds in () if quick else (1, LINES):
                    yield bench_trials(TRIALS, folds)
            elif name == "rules":
                bar.add_task("live rules", total=None)
                yield bench_rules(QUICK_EPOCHS if quick else EPOCHS)
            elif name == "contracts":
                bar.add_task("steps, scorings and their contracts", total=None)
                for of_unit in ("small",) if quick else SIZES:
                    yield from bench_contracts(of_unit, device, budget=not quick)
            elif name == "twins":
                bar.add_task("steps and what judges them", total=None)
                for preset, of_twins in [("minimal", "small")] if quick else product(PRESETS, TWINS_SIZES):
                    yield bench_twins(preset, of_twins, device, budget=not quick)
                for of_model in ("small",) if quick else ("small", "documented"):
                    yield from bench_cached_twins(of_model, device, budget=not quick, quick=quick)
            elif name == "gpu":
                bar.add_task("steps on a GPU", total=None)
                yield from bench_gpu(device, quick=quick)
            elif name == "cached":
                bar.add_task("configurations in full and on cached features", total=None)
                for of_model in ("small",) if quick else ("small", "documented"):
                    yield from bench_cached(of_model, steps=2 if quick else 20, device=device, quick=quick)
            elif name == "stem":
                task = bar.add_task("stem, plain way", total=3 * size.batch)
                yield bench_stem(size, device, partial(bar.advance, task))
            elif name == "step":
                bar.add_task("training steps", total=None)
                yield from bench_step(size, device)
            elif name == "earlier":
                bar.add_task("training steps, now and then", total=None)
                if not quick:
                    try:
                        yield bench_earlier()
                    except NotInClone as error:
                        console.print(str(error))
            elif name == "evaluation":
                bar.add_task("splits scored", total=None)
                yield from bench_evaluation(data, quick=quick)
            else:
                bar.add_task("batches", total=None)
                yield from bench_batches(size, device)


def show(measurements: list[Measurement], console: Console, *, on_gpu: bool) -> None:
    """Print times, ratios, required ratios, differences and what was measured; processor time on a CPU only."""
    table = Table("work", "plain", "fast", "ratio", "must reach")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in measurements:
        required = "" if one.required is None else f"{one.required:g} x"
        rows: list[tuple[str, float, float, float | None]]
        rows = [("clock", one.plain.wall, one.fast.wall, one.ratio)]
        if not on_gpu:
            rows.append(("processor", one.plain.cpu, one.fast.cpu, one.cpu_ratio))
        if one.unmeasured:
            table.add_row(one.name, "", "", "unmeasured", required)
            continue
        for kind, plain, fast, ratio in rows:
            table.add_row(
                f"{one.name}, {kind}",
                f"{plain:.4g} s",
                f"{fast:.4g} s",
                "too short" if ratio is None else f"{ratio:.1f} x",
                required,
            )
    console.print(table)
    for one in measurements:
        if one.unmeasured:
            console.print(f"{one.name}: {one.unmeasured}", style="dim")
            continue
        rounds = f"medians of {one.rounds[0]} plain and {one.rounds[1]} fast"
        notes = ", ".join(f"{key} {_number(value)}" for key, value in {**one.notes, "rounds": rounds}.items())
        console.print(f"{one.name}: {notes}", style="dim")
        for key, value in one.differences.items():
            limit = f" (limit {one.limits[key]:.2g})" if key in one.limits else ""
            console.print(f"  {key}: {value:.2g}{limit}")


def machine(device: torch.device) -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device(choose_device().name)
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: there is no GPU here; expected cpu or auto")
    return torch.device(name)


def main() -> int:
    """Entry point of the command line; status 1 when a difference is beyond its limit or a budget is overrun."""
    parser = command_parser(
        "python -m harness.bench",
        "Time each fast route against the plain way of the same work, in one run, and compare their "
        "results. Other load on the machine changes seconds more than ratios, and processor time least.",
        "Sequences of 1000 + 4000 bp; stem and evaluation at e = 768, kernel 43, the others at e = 64, kernel 11, "
        "earlier (against an earlier commit of this repository) at size small, contracts and twins at default and at "
        "small sizes, where more than 1 % of what contracts check, or 40 steps for the twins of a trial, is a fault; "
        "cached at both sizes of the model, 20 steps of each way, extrapolated to the documented number of pairs. The "
        "whole takes some minutes on a CPU.",
    )
    parser.add_argument(
        "bench",
        nargs="?",
        default="all",
        choices=(*BENCHES, "all"),
        metavar="BENCH",
        help=f"{', '.join(BENCHES)}; default: all",
    )
    parser.add_argument("--batch", type=int, metavar="N", help="samples per batch (default: 64)")
    parser.add_argument(
        "--units",
        type=int,
        metavar="N",
        help="configurations x seeds of ranking and driver (default: 10000 = 2000 x 5)",
    )
    parser.add_argument(
        "--through-ray",
        type=int,
        nargs="*",
        metavar="N",
        help="trials of growth that go through Ray (default: 10 100; 5000 are fed by a loop in its place)",
    )
    parser.add_argument(
        "--data", type=user_path, metavar="ROOT", help="a dataset whose test split evaluation scores as well"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of torch (default: its own)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: only the differences mean something"
    )
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write the figures to FILE, too")
    options = parser.parse_args()
    for key, readers in USES.items():
        if getattr(options, key) is not None and options.bench not in (*readers, "all"):
            name = f"--{key.replace('_', '-')}"
            raise UserError(f"{name}: {options.bench} does not read it; it is for {', '.join(readers)}")
    units = UNITS if options.units is None else options.units
    through_ray = list(THROUGH_RAY) if options.through_ray is None else options.through_ray
    for key in ("batch", "threads"):
        value = getattr(options, key)
        if value is not None and value < 1:
            raise UserError(f"--{key} {value}: expected at least 1")
    if units < 100 or units % 100:
        raise UserError(f"--units {units}: expected a multiple of 100")
    if any(trials < THROUGH_RAY[0] for trials in through_ray):
        raise UserError(f"--through-ray {min(through_ray)}: expected at least {THROUGH_RAY[0]} trials")
    if options.json is not None:
        check_file(options.json)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device, console = _device(options.device), terminal.console()
    exact_float32()  # as trials compute, on either way
    measurements = list(
        measure(
            options.bench,
            quick=options.quick,
            batch=options.batch,
            units=units,
            through_ray=through_ray,
            data=options.data,
            device=device,
            console=console,
        )
    )
    show(measurements, console, on_gpu=device.type == "cuda")
    if options.json is not None:
        content = {"machine": machine(device), "measurements": [one.record() for one in measurements]}
        write(options.json, json.dumps(content, indent=1) + "\n")
    broken = [sentence for one in measurements for sentence in one.broken()]
    for sentence in broken:
        console.print(sentence, style="bold red")
    return 1 if broken else 0


if __name__ == "__main__":
    run_cli(main)
