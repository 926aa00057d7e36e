"""`python -m tests.intact`: train what nobody has broken, and see whom the audit accuses."""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.errors import UserError, nearest, run_cli
from analysis.paths import user_path
from harness.config.yaml.lines import read_yaml
from harness.shell import terminal
from harness.stamp.code import Code
from tests.intact.factors import Row, configuration
from tests.intact.options import parser_of
from tests.intact.run import PAIRS, REPOSITORY, Data, Outcome, run

ROWS = Path(__file__).parent / "rows.yaml"
DESCRIPTION = """Every row of tests/intact/rows.yaml as one unit under `audit: strict`: two epochs of eight steps. A
verdict inert, leaking or broken, or a unit that is not done, accuses what nobody has broken. The report has a line per
row and is named by the hash of the code; a further start of the same code goes on where it ended.

examples:
  python -m tests.intact
  python -m tests.intact --only preset energy-gated
  python -m tests.intact --data ~/pairs --report intact.jsonl"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 1 where somebody is accused, 2 for a mistake in what was given."""
    arguments = _parser().parse_args(argv)
    rows, code = chosen(arguments.only), Code.today().hash
    report = arguments.report or REPOSITORY / "runs" / f"intact-{code}.jsonl"
    known = outcomes(report, code)
    console = terminal.console()
    data = Data(arguments.cache, arguments.data)
    for row in rows:
        if row["name"] in known and stands(known[row["name"]], row):
            continue
        with tempfile.TemporaryDirectory(prefix="intact-") as folder:
            outcome = run(row, data, Path(folder))
        known[row["name"]] = outcome
        append(report, outcome.plain())
        console.print(f"{outcome.name}  {outcome.status}  {outcome.seconds} s", highlight=False)
        for sentence in outcome.accusations:
            console.print(f"  {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
    ended = [known[row["name"]] for row in rows]
    counts = ", ".join(f"{number} {status}" for status, number in Counter(e.status for e in ended).items())
    guilty = [outcome for outcome in ended if outcome.guilty]
    console.print(
        f"{len(ended)} rows: {counts}; somebody is accused in {len(guilty)}; report {report}", soft_wrap=True
    )
    for why in sorted({outcome.reason for outcome in ended if outcome.status == "skipped"}):
        console.print(f"skipped: {why}", style="yellow", soft_wrap=True)
    return 1 if guilty else 0


def matrix() -> list[Row]:
    """The committed rows."""
    rows: list[Row] = read_yaml(ROWS).data["rows"]
    return rows


def chosen(names: Sequence[str]) -> list[Row]:
    """The rows whose names start with one of `names`; all of them without any."""
    rows = matrix()
    for name in names:
        if not any(row["name"].startswith(name) for row in rows):
            raise UserError(
                f"--only {name}: no row's name begins so{nearest(name, [r['name'] for r in rows])}"
            )
    return [row for row in rows if not names or any(row["name"].startswith(name) for name in names)]


def outcomes(report: Path, code: str) -> dict[str, Outcome]:
    """What a report has of this code, by name of the row; a report that there is not yet is begun.

    Raises UserError for a report of another code, or a file that is none.
    """
    if not report.exists():
        append(report, {"code": code})
        return {}
    try:
        # Half a line of a start that was killed counts for nothing.
        head, *lines = [json.loads(line) for line in report.read_text(encoding="utf-8").split("\n")[:-1]]
        stamp, held = (
            head["code"],
            {line["name"]: Outcome(**{**line, "accusations": tuple(line["accusations"])}) for line in lines},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{report}: this is not a report of the intact matrix ({error}); give another --report"
        ) from None
    if stamp != code:
        raise UserError(f"{report} is of code {stamp}, and this is code {code}: give another --report")
    return held


def stands(outcome: Outcome, row: Row) -> bool:
    """Whether a row needs no second run: it was run, with today's settings."""
    return outcome.status != "skipped" and outcome.config == configuration(row).id


def append(report: Path, line: dict[str, Any]) -> None:
    """One line more; half a line of a start that was killed is cut off before."""
    report.parent.mkdir(parents=True, exist_ok=True)
    before = report.read_bytes() if report.exists() else b""
    whole = before[: before.rfind(b"\n") + 1]
    if whole != before:
        report.write_bytes(whole)
    with report.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("tests.intact", DESCRIPTION)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="rows whose names begin so")
    parser.add_argument(
        "--data",
        type=user_path,
        default=PAIRS,
        metavar="FOLDER",
        help="the real pairs (default: %(default)s)",
    )
    parser.add_argument("--report", type=user_path, metavar="FILE", help="default: runs/intact-<code>.jsonl")
    return parser


if __name__ == "__main__":
    run_cli(main)
