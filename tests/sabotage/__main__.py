"""`python -m tests.sabotage`: break every mechanism in every way, and see which the audit of a whole trial catches."""

import argparse
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.errors import UserError, nearest, run_cli
from analysis.paths import user_path
from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import Mechanism
from harness.shell import terminal
from harness.stamp.code import Code
from tests.sabotage.catalogue import reasons, ways
from tests.sabotage.trial import WORDS, Bench
from tests.sabotage.way import KINDS

DESCRIPTION = """The audit of a trial (key `audit: strict | warn | off`) judges every configured mechanism. This command
proves the audit itself: every mechanism is broken on the real classes in every way that applies to it, each in a tiny trial
of its own that is run from its first step to its end. The audit has to end every one of them.

The report has a line of JSON per trial, stamped with a hash of the code and of this suite, and is appended as it goes: the
same command again goes on where it was, and lines of other code are left alone.

examples:
  python -m tests.sabotage                                   # everything: about an hour
  python -m tests.sabotage --only gated pearson              # two mechanisms
  python -m tests.sabotage --kind "sign flipped" late        # two kinds
  python -m tests.sabotage --table                           # what the report has, without running anything"""


def main() -> int:
    """Entry point; the exit status is 1 when anything was missed or changed nothing, 2 for a mistake in what was given."""
    arguments = _parser().parse_args()
    rows = {row.key: row for row in catalogue()}
    for option, names, words in (("--only", arguments.only, rows), ("--kind", arguments.kind, KINDS)):
        for name in names:
            if name not in words:
                raise UserError(f"{option} {name}: expected one of {', '.join(words)}{nearest(name, words)}")
    chosen = [row for key, row in rows.items() if not arguments.only or key in arguments.only]
    kinds = [kind for kind in KINDS if not arguments.kind or kind in arguments.kind]
    torch.set_num_threads(1)
    console = terminal.console()
    code = stamp()
    done = {_name(line): line for line in _lines(arguments.report) if line["code"] == code}
    if not arguments.table:
        arguments.report.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder, arguments.report.open("a", encoding="utf-8") as report:
            for line in _judged(chosen, kinds, Path(folder), code, done):
                done[_name(line)] = line
                report.write(json.dumps(line) + "\n")
                report.flush()
                text = (
                    f"{line['mechanism']}: {line['kind']} ({line['way']}): {line['word']}: {line['sentence']}"
                )
                style = "dim" if line["word"] == "caught" else "red"
                console.print(text, style=style, markup=False, soft_wrap=True)
    shown = [line for line in done.values() if line["kind"] in kinds and rows[line["mechanism"]] in chosen]
    console.print(_by_kind(shown, chosen, kinds))
    wrong = sum(line["word"] in ("MISSED", "UNCHANGED") for line in shown)
    every = sum(way.kind in kinds for row in chosen for way in ways(row))
    text = f"{len(shown)} of {every} broken trials of code {code}: {wrong} not caught; {arguments.report}"
    console.print(text, soft_wrap=True)
    return 1 if wrong else 0


def stamp() -> str:
    """Hash of the project's code and of this suite."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    suite = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
    return f"{Code.today().hash}-{suite}"


def _judged(
    chosen: list[Mechanism], kinds: list[str], folder: Path, code: str, done: Mapping[tuple[str, ...], Any]
) -> Iterator[dict[str, Any]]:
    bench = Bench(folder)
    for row in chosen:
        for way in ways(row):
            line = {"code": code, "mechanism": row.key, "kind": way.kind, "way": way.text}
            if way.kind in kinds and _name(line) not in done:
                yield {**line, **bench.judge(row, way)._asdict()}


def _name(line: Mapping[str, Any]) -> tuple[str, ...]:
    return line["mechanism"], line["kind"], line["way"]


def _lines(report: Path) -> list[dict[str, Any]]:
    """The whole lines of a report; none where there is no file. A line that a kill cut off is left out."""
    if not report.exists():
        return []
    lines = report.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _by_kind(lines: list[dict[str, Any]], chosen: list[Mechanism], kinds: list[str]) -> Table:
    """Per kind: trials by word, and mechanisms that it does not apply to."""
    table = Table("kind", *WORDS, "does not apply", box=SIMPLE_HEAD, pad_edge=False)
    for kind in kinds:
        counts = Counter(line["word"] for line in lines if line["kind"] == kind)
        apart = sum(kind in reasons(row) for row in chosen)
        table.add_row(kind, *(str(counts[word] or "") for word in WORDS), str(apart or ""))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sabotage",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="KEY", default=[], help="keys as table `audit` has them")
    parser.add_argument("--kind", nargs="+", metavar="KIND", default=[], help=", ".join(KINDS))
    parser.add_argument(
        "--report",
        type=user_path,
        default=Path("runs/sabotage.jsonl"),
        metavar="FILE",
        help="(default: %(default)s)",
    )
    parser.add_argument("--table", action="store_true", help="show the report and run nothing")
    return parser


if __name__ == "__main__":
    run_cli(main)
