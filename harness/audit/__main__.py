"""`python -m harness.audit sabotage`: run a person's own patch of the harness, and say what the audit saw."""

import sys
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.arguments import SentenceParser, command_parser
from analysis.errors import run_cli
from analysis.paths import user_path
from harness.audit.example_command import RECORD, record_examples
from harness.audit.patch import patches_of
from harness.audit.rehearsal import DATA, Rehearsal
from harness.audit.sabotage import WORDS, PatchVerdict, verdicts
from harness.config.blocks.data import parse_source
from harness.shell import terminal
from harness.shell.arguments import whole

DESCRIPTION = """Does the audit notice what you break? A patch is a Python file that changes the running harness:

    \"\"\"The Student gets zeros in place of its support set.\"\"\"
    import dataclasses
    from models.environment.student import SupportEnvironment

    PRESET = "minimal"                            # optional: the preset that has what it breaks
    SET = {"environment.encoder": "attention"}    # optional: settings that switch it on

    forward = SupportEnvironment.forward

    def broken(self, support):
        nothing = dataclasses.replace(support, u=0 * support.u, z_i=0 * support.z_i)
        return forward(self, nothing)

    SupportEnvironment.forward = broken

The file is executed in a fresh process, after the project's modules are imported and before the trial is built. A sound
trial and the patched one are trained on the same tiny data with the same seed (seconds), the patched one without the
audit and with it:

  caught        the audit ended the unit, which would have gone on without it
  MISSED        the unit ended done, and its results are others than those of the sound one
  not counted   weights, logits and rows are bit by bit those of the sound trial, or the trial itself refused to run
  NOT APPLIED   the patch names something that is not there (any more)

The exit status is 1 when a patch was missed, 2 when one did not apply or could not be read, and 0 otherwise."""
EXAMPLES = """examples:
  python -m harness.audit sabotage --patch zeros.py
  python -m harness.audit sabotage --patch zeros.py --preset rp24 --epochs 5
  python -m harness.audit sabotage --patch patches/            # every .py in a folder: a table and totals
  python -m harness.audit sabotage --patch zeros.py --data synthetic:modulated"""


def main() -> int:
    """Entry point; see DESCRIPTION and RECORD for the exit status."""
    arguments = _parser().parse_args()
    console = terminal.console()
    status: int = arguments.command(arguments, console)
    return status


def _sabotage(arguments: Namespace, console: Console) -> int:
    patches = patches_of(arguments.patch)
    data = parse_source(arguments.data) if arguments.data else DATA
    judged: list[PatchVerdict] = []
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal("minimal", {}, arguments.epochs, data, Path(folder))
        for verdict in verdicts(patches, rehearsal, arguments.preset):
            judged.append(verdict)
            _tell(verdict, console)
    if len(judged) > 1:
        console.print(_table(judged))
        console.print(_totals(judged), soft_wrap=True)
    words = {verdict.word for verdict in judged}
    return 2 if "not applied" in words else 1 if "missed" in words else 0


def _tell(verdict: PatchVerdict, console: Console) -> None:
    console.print(f"{verdict.patch.file}: {verdict.patch.breaks}", markup=False, soft_wrap=True)
    style = {"caught": "green", "missed": "bold red", "not applied": "bold red"}.get(verdict.word, "yellow")
    console.print(f"  {verdict.sentence}", style=style, markup=False, highlight=False, soft_wrap=True)
    for what, names in (
        ("without the audit it changes", verdict.changes),
        ("rules of severity fault that hold because of it", verdict.fault_rules),
        ("other rules that hold because of it", verdict.rules),
    ):
        if names:
            console.print(f"  {what}: {', '.join(names)}", markup=False, soft_wrap=True)


def _table(judged: Sequence[PatchVerdict]) -> Table:
    table = Table("patch", "breaks", "verdict", "fault rules", box=SIMPLE_HEAD, pad_edge=False)
    for verdict in judged:
        cells = (verdict.patch.file.name, verdict.patch.breaks, verdict.word, ", ".join(verdict.fault_rules))
        table.add_row(*map(escape, cells))
    return table


def _totals(judged: Sequence[PatchVerdict]) -> str:
    """`30 patches: 27 caught of 28 counted (96 %); 1 missed; 2 unchanged`."""
    counts = Counter(verdict.word for verdict in judged)
    counted = counts["caught"] + counts["missed"]
    share = f" ({counts['caught'] / counted:.0%})" if counted else ""
    others = "".join(f"; {counts[word]} {word}" for word in WORDS if word != "caught" and counts[word])
    return f"{len(judged)} patches: {counts['caught']} caught of {counted} counted{share}{others}"


def _parser() -> SentenceParser:
    parser = command_parser(
        "python -m harness.audit",
        "The audit of trials (table `audit` of a run), proved by breaking what it looks at.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sabotage = commands.add_parser(
        "sabotage",
        help="run your own patch of the harness and see whether the audit notices",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    sabotage.add_argument(
        "--patch",
        type=user_path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="Python files that change the harness, or folders of them",
    )
    sabotage.add_argument(
        "--preset",
        metavar="NAME",
        help="preset in place of the one that a patch names (minimal where it names none)",
    )
    sabotage.add_argument(
        "--epochs",
        type=whole("--epochs", 2, 1000),
        default=4,
        help="epochs of the trials (default: %(default)s)",
    )
    sabotage.add_argument(
        "--data",
        metavar="ROOT|synthetic:FORM",
        help="dataset folder or synthetic benchmark (default: tiny synthetic)",
    )
    sabotage.set_defaults(command=_sabotage)
    record = commands.add_parser(
        "record",
        help="record what the examples compute, after you meant to change an equation",
        description=RECORD,
    )
    record.add_argument(
        "--check", action="store_true", help="say what would change and write nothing; status 1 if so"
    )
    record.set_defaults(command=record_examples)
    return parser


if __name__ == "__main__":
    sys.argv[0] = "harness.audit"
    run_cli(main)
