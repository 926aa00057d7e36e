"""`python -m harness.mechanisms`: the catalogue of mechanisms."""

import json

from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.arguments import command_parser
from analysis.errors import UserError, nearest, run_cli
from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import GROUPS
from harness.mechanisms.page import page
from harness.shell import terminal

DESCRIPTION = """Every mechanism that a configuration can have: what it computes, which keys switch it on, which
parameters it may train, and where it comes from. A trial's audit (table `audit` of a run) judges these rows.

examples:
  python -m harness.mechanisms                 # all rows
  python -m harness.mechanisms --id M12        # one mechanism, with its equation and shapes
  python -m harness.mechanisms --json          # for another program
  python -m harness.mechanisms --markdown      # docs/mechanisms.md"""


def main() -> int:
    """Entry point; the exit status is 0, or 2 for an id that is none."""
    parser = command_parser("python -m harness.mechanisms", DESCRIPTION)
    parser.add_argument("--id", metavar="M12", help="only the rows of this mechanism, written out in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument("--markdown", action="store_true", help="print the page of the documentation")
    arguments = parser.parse_args()
    ids = sorted({row.id for row in catalogue()})
    if arguments.id is not None and arguments.id not in ids:
        raise UserError(
            f"--id {arguments.id}: the mechanisms are {ids[0]} to {ids[-1]}{nearest(arguments.id, ids)}"
        )
    rows = [row.row() for row in catalogue() if arguments.id in (None, row.id)]
    if arguments.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    if arguments.markdown:
        print(page(), end="")
        return 0
    console = terminal.console()
    if arguments.id is not None:
        for row in rows:
            console.print(f"{row['id']} {row['name']}", style="bold")
            for field in (
                "key",
                "equation",
                "shapes",
                "trains",
                "acts",
                "reads",
                "without",
                "placebo",
                "source",
            ):
                console.print(f"  {field:<9} {row[field]}")
        return 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    shown = ("id", "name", "key", "equation", "trains", "source")
    for column in shown:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*(row[column] for column in shown))
    console.print(table)
    console.print("trains: " + ", ".join(f"{group} {text}" for group, text in GROUPS.items()))
    return 0


if __name__ == "__main__":
    run_cli(main)
