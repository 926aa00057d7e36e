"""The command line of a sweep."""

import re
from dataclasses import dataclass
from math import nan
from pathlib import Path

from analysis.arguments import command_parser
from analysis.errors import UserError, shorten
from analysis.paths import user_path
from harness.config.blocks.sweep import MOST_GPUS
from harness.config.sweep.overrides import refuse_twice, settable

DESCRIPTION = """Run a sweep: YAML -> plan -> Ray Tune trials -> store -> ranking with warnings.

examples:
  python -m harness.sweep search_spaces/rp24.yaml                      the built-in synthetic benchmark
  python -m harness.sweep search_spaces/rp24.yaml --data ../data/epi   your own pairs
  python -m harness.sweep search_spaces/rp24.yaml --dry-run            what would run, and nothing else
  python -m harness.sweep search_spaces/leave_one_out.yaml --budget 2h   as many seeds as fit two hours
  python -m harness.sweep search_spaces/rp24.yaml --resume             continue after a kill; no finished epoch is lost
  python -m harness.sweep search_spaces/rp24.yaml --trials +16         16 more configurations for a finished sweep
  python -m harness.sweep search_spaces/rp24.yaml --confirm            then: does the winner hold on new seeds and loci?
  python -m harness.sweep search_spaces/screen.yaml --trust            does a cached screen order as full training does?"""


@dataclass(frozen=True)
class Options:
    """The parsed command line; `trials` as written (`N`, or `+N` for N more than there are)."""

    yaml: Path
    data: Path | None
    trials: str | None
    seconds: float | None
    address: str | None
    out: Path | None
    resume: bool
    dry_run: bool
    sets: tuple[str, ...]
    cache: Path
    reuse_older_code: bool = False
    pilot: Path | None = None
    budget: float | None = None
    confirm: bool = False
    trust: bool = False


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line (sys.argv when None).

    Raises
    ------
    UserError
        for an option that there is not, and a time or a number of configurations that cannot be read.
    """
    parser = command_parser("python -m harness.sweep", DESCRIPTION, settings=settable)
    add = parser.add_argument
    add("yaml", type=user_path, metavar="YAML", help="the sweep, such as search_spaces/rp24.yaml")
    add("--data", type=user_path, metavar="ROOT", help="dataset folder in place of the YAML's data")
    add("--trials", metavar="N", help="configurations of a search; +N: N more than the run has")
    add("--time", metavar="T", help="stop after 90s, 30m or 2h; --resume continues")
    add("--address", help="join this Ray cluster (auto: the one of this machine) instead of starting one")
    add("--gpus-per-trial", metavar="G", help="share of a GPU per configuration (default 0.25)")
    add("--out", type=user_path, metavar="DIR", help="the run's folder (default: runs/NAME)")
    add("--resume", action="store_true", help="continue an interrupted run; failed units are tried again")
    add(
        "--reuse-older-code",
        action="store_true",
        help="take finished units of older code or package versions as they are instead of running them anew",
    )
    add("--dry-run", action="store_true", help="print the plan, its cost, and what it can see; write nothing")
    add("--pilot", type=user_path, metavar="RUN", help="take the spread of paired differences from this run")
    add(
        "--confirm",
        action="store_true",
        help="then run the winner and its ties again, on fresh seeds and a fold that selection did not use",
    )
    add(
        "--trust",
        action="store_true",
        help="compare a screen (fidelity) with full training on 24 random configurations, and record whether to trust it",
    )
    add("--budget", metavar="T", help="as many seeds as fit 90s, 30m or 2h (path: as many steps)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="override a setting, e.g. optimiser.lr=0.001",
    )
    add("--cache", type=user_path, default=Path(".cache/data"), help="encoded data (default: %(default)s)")
    parsed = parser.parse_args(arguments)
    if parsed.gpus_per_trial is not None:
        share = _share(parsed.gpus_per_trial)
        if any(text.partition("=")[0].strip() == "resources.gpus_per_trial" for text in parsed.set):
            raise UserError(
                f"--gpus-per-trial {share:g}: --set resources.gpus_per_trial gives it, too; leave one out"
            )
        parsed.set.append(f"resources.gpus_per_trial={share}")
    refuse_twice(parsed.set)
    counted = next((text for text in parsed.set if text.partition("=")[0].strip() == "trials"), None)
    if parsed.trials is not None and counted is not None:
        raise UserError(
            f"--trials {shorten(parsed.trials)}: --set {shorten(counted)} gives the number of configurations, too; leave "
            "one out"
        )
    return Options(
        yaml=parsed.yaml,
        data=parsed.data,
        trials=_trials(parsed.trials),
        seconds=None if parsed.time is None else seconds(parsed.time),
        address=parsed.address,
        out=parsed.out,
        resume=parsed.resume,
        dry_run=parsed.dry_run,
        sets=tuple(parsed.set),
        cache=parsed.cache,
        reuse_older_code=parsed.reuse_older_code,
        pilot=parsed.pilot,
        budget=None if parsed.budget is None else seconds(parsed.budget, "--budget"),
        confirm=parsed.confirm,
        trust=parsed.trust,
    )


def seconds(text: str, option: str = "--time") -> float:
    """`90s`, `30m`, `2h`, `1h30m` or a plain number of seconds."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    hours, minutes, rest = match.groups() if match else (None, None, None)
    total = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(rest or 0)
    if total <= 0:
        raise UserError(f"{option} {shorten(text)}: expected a time such as 90s, 30m, 2h or 1h30m")
    return total


def _share(text: str) -> float:
    """A share of one GPU, or a number of whole ones."""
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 0 <= value <= MOST_GPUS:
        raise UserError(
            f"--gpus-per-trial {shorten(text)}: expected a number from 0 to {MOST_GPUS}, such as 0.25 for four "
            "configurations on one GPU"
        )
    return value


def _trials(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"\+?[1-9][0-9]{0,6}", text):
        raise UserError(
            f"--trials {shorten(text)}: expected a number of configurations below ten million, such as 16, or +16 for "
            "16 more"
        )
    return text
