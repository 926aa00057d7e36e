"""`python -m analysis claims RUN`: what a run says of the predictions that source document 004 asks for."""

from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.arms import arm_labels
from analysis.claims.evaluate import configuration_claims, judged_configuration
from analysis.claims.validate import REPLICATES, validities
from analysis.claims.view import claims_view, validity_view
from analysis.errors import UserError
from analysis.paths import user_path
from analysis.reported import configuration_changes
from analysis.store import Run
from analysis.terminal import unread_view

_HELP = """\
What does a run say of the predictions by which source document 004 (notes on
record point 25) wants such a model to be judged? Gate, mutual information,
features, correction, potential and environment: each is supported, refuted or
undecided, with the numbers, their intervals, the cell lines and what would
change the answer; or not evaluated, with the input that the store has not.
"""

_EPILOG = """\
The configuration is the base of a design, else the first of the ranking, unless --config names another. --validate
judges simulated stores in which each prediction is true, and false, in place of a run (some minutes).

examples:
  python -m analysis claims runs/rp24
  python -m analysis claims runs/rp24 --config 4f1c
  python -m analysis claims --validate

exit status: 0; 1 where a file cannot be read and nothing else holds its rows; 2 for a mistake
"""


def claims_command(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    parser = command_parser("python -m analysis claims", _HELP, _EPILOG)
    parser.add_argument(
        "run", metavar="RUN", nargs="?", type=user_path, help="folder of the run, e.g. runs/rp24"
    )
    parser.add_argument(
        "--config", metavar="ID", help="identity of a configuration, its beginning or its name"
    )
    parser.add_argument("--validate", action="store_true", help="judge simulated stores of known truth")
    parser.add_argument(
        "--replicates", type=int, metavar="N", help=f"stores each way, with --validate (default {REPLICATES})"
    )
    options = parser.parse_args(argv)
    if options.validate == (options.run is not None) or (options.validate and options.config is not None):
        raise UserError("claims takes either a RUN (and --config) or --validate")
    if options.replicates is not None and not options.validate:
        raise UserError("--replicates is of --validate")
    if options.validate:
        replicates = REPLICATES if options.replicates is None else options.replicates
        if replicates < 1:
            raise UserError(f"--replicates must be at least 1, not {replicates}")
        for part in validity_view(validities(replicates)):
            console.print(part)
        return 0
    run = Run.open(options.run)
    config = judged_configuration(run, options.config)
    changes = configuration_changes(run)
    name = f"{arm_labels(run, changes, changes)[config]} ({config})"
    for part in claims_view(name, configuration_claims(run, config)):
        console.print(part)
    for part in unread_view(run):
        console.print(part)
    return 1 if run.lost else 0
