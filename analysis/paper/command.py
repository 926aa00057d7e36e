"""`python -m analysis table RUN --markdown|--latex`."""

from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.criteria import CRITERIA
from analysis.errors import UserError
from analysis.output import printable
from analysis.paper.methods import methods
from analysis.paper.render import latex, latex_table, markdown_table
from analysis.paper.tables import effects_table, ranking_table
from analysis.paths import user_path
from analysis.ranking import ROPE, rank
from analysis.store import Run

HELP = """\
The table of a paper: configurations with intervals, differences from the first, baselines; of an ablation what each arm did
as well; and a methods paragraph that states folds, seeds, selection and tests as they were. All figures come from the
functions that rank.
"""
EPILOG = """\
examples:
  python -m analysis table runs/rp24 --markdown
  python -m analysis table runs/leave_one_out --latex --by pooled_aupr > table.tex

LaTeX needs \\usepackage{booktabs}. exit status: 0; 1 where a file could not be read; 2 for a mistake
"""


def table_command(argv: Sequence[str], console: Console) -> int:
    """Print the tables and the paragraph."""
    parser = command_parser("python -m analysis table", HELP, EPILOG)
    parser.add_argument("run", metavar="RUN", type=user_path, help="folder of the run, e.g. runs/rp24")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="Markdown (the default)")
    form.add_argument("--latex", action="store_true", help="LaTeX with booktabs")
    parser.add_argument(
        "--by", metavar="METRIC", help=f"{', '.join(CRITERIA)} (default: what the run was asked for)"
    )
    parser.add_argument("--top", type=int, metavar="N", help="the best N configurations only")
    options = parser.parse_args(argv)
    if options.top is not None and options.top < 1:
        raise UserError(f"--top must be at least 1, not {options.top}")
    run = Run.open(options.run)
    ranking = rank(run, options.by, rope=ROPE)
    effects = effects_table(ranking)
    tables = [ranking_table(ranking, options.top), *([effects] if effects else [])]
    paragraph = methods(ranking)
    if options.latex:
        parts = [*(latex_table(each) for each in tables), f"\\paragraph{{Methods.}} {latex(paragraph)}\n"]
    else:
        parts = [*(markdown_table(each) for each in tables), f"**Methods.** {printable(paragraph)}\n"]
    print("\n".join(parts), end="", file=console.file)
    return 1 if run.lost else 0
