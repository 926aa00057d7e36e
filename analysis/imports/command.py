"""`python -m analysis import FILE... --out RUN`: documented results as a run of their own."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.arguments import command_parser
from analysis.completeness import IMPORTED
from analysis.errors import UserError
from analysis.imports.folder import refuse_occupied, write_folder
from analysis.imports.results import read_results
from analysis.imports.rows import identity, unit_rows
from analysis.imports.view import import_view
from analysis.output import counted
from analysis.paths import user_path
from analysis.store import Run

_HELP = """\
Make a run of results that somebody reported, so that they are ranked and judged by the warning rules as any other run.

A file is CSV or Parquet with one row per result: a name (or record_point, model, method), optionally seed, cell_line and
epoch, and metrics. Several files are put together by name and seed; a file without names is taken as those of the name
in another file that its own begins with (rp25_epochs.csv beside rp25), or of its own name. A row without a cell line is
of all pairs together (pooled); one without an epoch is of the end. What a rule needs
and no file has, it calls "not evaluated".
"""

_EPILOG = """\
a file:
  name,seed,cell_line,aupr,auc,f1,recall,precision,threshold,n
  ours,0,K562,0.7123,0.7311,0.6921,0.8080,0.6053,0.4500,3200
  ours,0,GM12878,0.6801,0.7002,0.6711,0.7651,0.6006,0.4500,3100

metrics:
  of cell lines  aupr auc f1 precision recall threshold n positives prevalence nll nll_calibrated brier ece ...
                 threshold is the one that f1 is at, taken as the best one on these pairs
  of training    train_aupr loss temperature lr      of the model  parameters train_pairs

examples:
  python -m analysis import record_points/*.csv --out runs/documented --prevalence 0.5
  python -m analysis runs/documented

exit status: 0; 2 for a mistake in a file, with the row and the column; nothing is written then
"""


def import_command(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    parser = command_parser("python -m analysis import", _HELP, _EPILOG)
    parser.add_argument("files", metavar="FILE", nargs="+", type=user_path, help="CSV or Parquet")
    parser.add_argument("--out", required=True, metavar="RUN", type=user_path, help="folder of the new run")
    parser.add_argument(
        "--prevalence",
        type=float,
        metavar="P",
        help="share of positives where a file does not say it; 0.5 for results at 1:1",
    )
    options = parser.parse_args(argv)
    if options.prevalence is not None and not 0 < options.prevalence < 1:
        raise UserError(f"--prevalence must lie between 0 and 1, not {options.prevalence:g}")
    refuse_occupied(options.out)
    results = read_results(options.files)
    units = [unit_rows(each, options.prevalence) for each in results.reported]
    if options.prevalence is None and not any("prevalence" in row for unit in units for row in unit["cells"]):
        results.notes.append(
            "no file says the share of positives, which mode_collapse needs: give --prevalence (0.5 at 1:1)"
        )
    names = list(dict.fromkeys(each.name for each in results.reported))
    told = {
        "files": [described(path) for path in options.files],
        "prevalence": options.prevalence,
        "notes": results.notes,
    }
    write_folder(options.out, units, [], {"plan.json": plan_of(options.out.name, names), "import.json": told})
    console.print(
        f"imported {counted(len(names), 'name')} ({counted(len(units), 'unit')}) from "
        f"{counted(len(options.files), 'file')} into {options.out}",
        markup=False,
        soft_wrap=True,
    )
    for part in import_view(Run.open(options.out)):
        console.print(part)
    console.print(f"\nrank them   python -m analysis {options.out}", markup=False, soft_wrap=True)
    return 0


def plan_of(run: str, names: Sequence[str]) -> dict[str, Any]:
    """plan.json of a run of imported names, each of them a configuration."""
    configs = [{"id": identity(name), "changes": {"name": name}, "config": {}, "arm": name} for name in names]
    return {"name": run, "status": "finished", "design": IMPORTED, "configs": configs}


def described(path: Path) -> dict[str, str]:
    """A file by its name and the hash of its content."""
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
