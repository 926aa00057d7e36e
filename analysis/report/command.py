"""`python -m analysis report RUN`: the report as one HTML file."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from analysis.arguments import command_parser
from analysis.criteria import CRITERIA
from analysis.language import LANGUAGES, catalogue, in_language
from analysis.output import printable
from analysis.paths import user_path
from analysis.ranking import Ranking, rank
from analysis.report.page import FILE, Report, write_report
from analysis.store import Run

PATIENCE = 2.0
"""Seconds after which what is being done is shown."""
HELP = f"""\
Write the report of a run as one HTML file that opens without a network: what was asked, the answer in two sentences,
ranking, effects, warnings on the training curves, cell lines, precision and recall, settings, loss terms, the audit,
baselines, provenance, and how to run it again. A sweep writes RUN/{FILE} at its end.
"""
EPILOG = """\
examples:
  python -m analysis report runs/rp24
  python -m analysis report runs/rp24 --by pooled_aupr --out rp24.html
  python -m analysis report runs/rp24 --lang zh          in Chinese
"""


def report_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status, 1 where something of the run could not be read."""
    parser = command_parser("python -m analysis report", HELP, EPILOG)
    parser.add_argument("run", metavar="RUN", type=user_path, help="folder of the run, e.g. runs/rp24")
    parser.add_argument(
        "--out", metavar="FILE", type=user_path, help=f"where to write it (default RUN/{FILE})"
    )
    parser.add_argument(
        "--by", metavar="METRIC", help=f"{', '.join(CRITERIA)} (default: what the run was asked for)"
    )
    parser.add_argument(
        "--lang", default="en", choices=LANGUAGES, metavar="LANG", help=f"{', '.join(LANGUAGES)} (default en)"
    )
    options = parser.parse_args(argv)
    with in_language(options.lang), shown_progress(console) as progress:
        run = Run.open(options.run)
        progress("ranking")
        ranking = rank(run, options.by)
        report = write_report(ranking, options.out, options.lang, progress=progress)
    say(console, report, options.lang)
    for problem in run.problems:
        console.print(f"not read: {problem}", style="bold red", markup=False, highlight=False)
    return 1 if run.lost else 0


def report_of(ranking: Ranking, console: Console) -> Report:
    """Write the report of a ranking that was just printed, and say where it is."""
    with shown_progress(console) as progress:
        report = write_report(ranking, progress=progress)
    say(console, report)
    return report


def say(console: Console, report: Report, lang: str = "en") -> None:
    """The line that says where a report is."""
    words = catalogue(lang)
    label = words("report") if words else "report"
    where = printable(str(Path(report.file).absolute()))
    size = f"{report.size / 1e6:.1f} MB"
    console.print(
        f"{label}{' ' * (12 - cell_len(label))}{where} ({size})",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


@contextmanager
def shown_progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Shows on a terminal what is being done, once that has taken PATIENCE seconds."""
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("report: {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=False)

        def told(section: str) -> None:
            bar.update(task, description=section, visible=time.monotonic() - began > PATIENCE)

        yield told
