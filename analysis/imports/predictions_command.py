"""`python -m analysis import-predictions FILE --out RUN`: anybody's scores of pairs as a run of predictors."""

from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.errors import UserError
from analysis.imports.command import described, plan_of
from analysis.imports.folder import refuse_occupied, write_folder
from analysis.imports.predictions_view import FIGURES, predictions_view
from analysis.imports.predictors import distance_baseline, figures, predictor_units
from analysis.imports.scores import read_scores
from analysis.output import counted
from analysis.paths import user_path
from analysis.resample import RESAMPLES
from analysis.store import Run

_FEWEST = 100
_HELP = """\
Make a run of predictors of scores that somebody's models gave to pairs: every metric per cell line, macro and pooled,
intervals by a bootstrap over 2 Mb loci, paired differences, AUPR by distance and against negatives that are as far away.

The file is CSV or Parquet with one row per predictor and pair: predictor, cell_line, label (0 or 1), score (higher is more
likely), and optionally enhancer and promoter (chr1:1000-1500), gene, distance (bp), chromosome and seed.
"""

_EPILOG = """\
what each optional column gives:
  enhancer      loci to resample (2 Mb bins of its midpoint); without regions the column chromosome gives coarse ones
  promoter      with enhancer the name of a pair, by which predictors are compared where they differ in pairs
  distance      the baseline, AUPR by distance bin and against distance-matched negatives
  seed          several trainings of one predictor: an interval over seeds in the ranking

Scores rank pairs and nothing else. With --probabilities they are probabilities: likelihood, Brier score and calibration
error are computed too.

examples:
  python -m analysis import-predictions predictions.parquet --out runs/theirs
  python -m analysis runs/theirs

exit status: 0; 2 for a mistake in the file, with the row and the column; nothing is written then
"""


def import_predictions_command(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    parser = command_parser("python -m analysis import-predictions", _HELP, _EPILOG)
    parser.add_argument("file", metavar="FILE", type=user_path, help="CSV or Parquet")
    parser.add_argument("--out", required=True, metavar="RUN", type=user_path, help="folder of the new run")
    parser.add_argument("--probabilities", action="store_true", help="the scores are probabilities, 0 to 1")
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, metavar="N", help="of the bootstrap (default %(default)s)"
    )
    options = parser.parse_args(argv)
    if options.resamples < _FEWEST:
        raise UserError(f"--resamples must be at least {_FEWEST}, not {options.resamples}")
    refuse_occupied(options.out)
    scores = read_scores(options.file, probabilities=options.probabilities)
    frame = scores.frame
    names = list(dict.fromkeys(frame["predictor"]))
    units = predictor_units(frame, options.file.name, probabilities=options.probabilities)
    baselines = distance_baseline(frame) if "distance" in frame and scores.paired else []
    documents = {
        "plan.json": plan_of(options.out.name, names),
        "import.json": {"files": [described(options.file)], "notes": scores.notes},
        FIGURES: figures(scores, options.resamples),
    }
    write_folder(options.out, units, baselines, documents)
    pairs, lines = frame["pair"].nunique(), frame["cell_line"].nunique()
    positives = int(frame.drop_duplicates("pair")["label"].sum())
    console.print(
        f"imported {counted(len(names), 'predictor')} of {counted(pairs, 'pair')} ({positives} positive) in "
        f"{counted(lines, 'cell line')} into {options.out}",
        markup=False,
        soft_wrap=True,
    )
    for part in predictions_view(Run.open(options.out)):
        console.print(part)
    console.print(f"\nrank them   python -m analysis {options.out}", markup=False, soft_wrap=True)
    return 0
