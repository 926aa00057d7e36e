"""`python -m harness.chaos`: break real sweeps at random moments, and see that each ends as if nothing had happened."""

import argparse
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from random import Random

from rich.console import Console

from analysis.arguments import command_parser
from analysis.errors import UserError, nearest, run_cli
from analysis.paths import user_path
from harness.chaos.blow import Blow
from harness.chaos.blows import BLOWS
from harness.chaos.report import line, note, table
from harness.chaos.round import Rounds, Struck, Unbroken
from harness.chaos.stage import set_stage
from harness.shell import terminal
from harness.shell.arguments import whole
from harness.store.storage import check_writable

DESCRIPTION = """Break real sweeps at random moments, and see that each ends as if nothing had happened.

A small sweep (2 configurations x 2 seeds of 6 epochs on synthetic data) runs once unbroken. Then, for every
blow, it runs anew in a folder of its own, is struck at a random moment, and goes on by --resume where it did not mend
itself. At the instant of the blow every table of the store has to be readable and to hold nothing that the unbroken run
has not; every row that was there stays; of a unit at most its last epoch is trained again (all of them where its
checkpoint was broken); and in the end every row is bit-equal to the unbroken run's, times apart."""
MINUTES = 20
"""After which no further blow begins."""
HEAD = {"RAY_gcs_rpc_server_reconnect_timeout_s": "10"}
"""How long Ray's processes look for a head that is gone, a minute by default."""


def parse() -> argparse.Namespace:
    """The command line; UserError for a kind of blow that there is not."""
    blows = "\n".join(f"  {key:<11} {blow.meaning}" for key, blow in BLOWS.items())
    parser = command_parser(
        "python -m harness.chaos",
        DESCRIPTION,
        f"blows:\n{blows}\n\nexit status: 0, 1 where anything of that did not hold, 2 for a mistake.\n"
        "The report is DIR/chaos.jsonl, a line per blow; run folders of what went wrong stay in DIR.",
    )
    add = parser.add_argument
    add(
        "--kills",
        type=whole("--kills", 1, 10_000),
        default=30,
        metavar="N",
        help="blows (default: %(default)s)",
    )
    add(
        "--seed",
        type=whole("--seed", 0),
        default=0,
        metavar="S",
        help="of kinds and moments (default: %(default)s)",
    )
    add("--only", nargs="+", metavar="BLOW", default=list(BLOWS), help="these kinds alone")
    add(
        "--minutes",
        type=whole("--minutes", 1, 10_000),
        default=MINUTES,
        metavar="M",
        help="no blow begins later (default: %(default)s)",
    )
    add(
        "--jobs",
        type=whole("--jobs", 1, 64),
        default=1,
        metavar="J",
        help="sweeps at a time; a sweep spends most of a blow waiting for Ray (default: %(default)s)",
    )
    add(
        "--out",
        type=user_path,
        default=Path("runs/chaos"),
        metavar="DIR",
        help="default: %(default)s, made anew",
    )
    options = parser.parse_args()
    for key in options.only:
        if key not in BLOWS:
            raise UserError(f"--only {key}: no such blow{nearest(key, BLOWS)} (there are {', '.join(BLOWS)})")
    return options


def drawn(kinds: Sequence[str], kills: int, seed: int) -> list[type[Blow]]:
    """Which blows come: every kind as often as any other, to within one, in random order."""
    source, chosen = Random(seed), list[str]()
    while kinds and len(chosen) < kills:
        chosen += source.sample(list(kinds), len(kinds))
    return [BLOWS[key] for key in chosen[:kills]]


def strike_all(options: argparse.Namespace, folder: Path, console: Console) -> list[Struck]:
    """Every blow, each told as soon as it is over; `--jobs` of them at a time, each with a stage of its own."""
    began = time.monotonic()

    def rounds(name: str) -> Rounds:
        stage = set_stage(folder / "stage" / name)
        return Rounds(stage, folder / "cache", {"OMP_NUM_THREADS": "1", **HEAD})

    def unbroken(name: str) -> Unbroken:
        return rounds(name).reference(folder / name)

    def one(number: int, kind: type[Blow]) -> tuple[int, Struck] | None:
        if time.monotonic() - began > 60 * options.minutes:
            return None
        name = f"{number:03d}-{kind.key}"
        random = Random(f"{options.seed}/{number}")
        struck = rounds(name).strike(kind, random, folder / name, reference)
        return number, struck or Struck(
            kind.key, did="nothing to strike", wrong=["the sweep ended before every try"]
        )

    with ThreadPoolExecutor(options.jobs) as pool:
        with console.status("the unbroken run"):
            # As many at a time as there will be later, which tells how long one takes then.
            reference, *others = pool.map(unbroken, (f"reference-{k}" for k in range(options.jobs)))
        for other in others:
            unlike = other.snapshot.unlike(reference.snapshot)
            if unlike:
                raise RuntimeError(f"two unbroken runs differ: {unlike[0]}")
        console.print(
            f"the unbroken run took {reference.seconds:.1f} s, {reference.training:.1f} s of them training"
        )
        for kind in (BLOWS[key] for key in options.only):
            if kind.impossible():
                console.print(f"{kind.key} is left out: {kind.impossible()}", soft_wrap=True)
        possible = [key for key in options.only if not BLOWS[key].impossible()]
        blows = drawn(possible, options.kills, options.seed)
        struck: list[Struck] = []
        with console.status("striking"):
            for done in as_completed(
                [pool.submit(one, number, kind) for number, kind in enumerate(blows, 1)]
            ):
                told = done.result()
                if told is None:
                    continue
                struck.append(told[1])
                _tell(folder, *told, options.kills, console)
    if len(struck) < len(blows):
        console.print(
            f"{options.minutes} minutes are over: {len(struck)} of {options.kills} blows were struck"
        )
    return struck


def _tell(folder: Path, number: int, struck: Struck, kills: int, console: Console) -> None:
    """Report one blow; what it left goes where nothing was wrong."""
    name = f"{number:03d}-{struck.blow}"
    note(folder / "chaos.jsonl", struck)
    console.print(line(number, kills, struck), markup=False, highlight=False, soft_wrap=True)
    if struck.passed:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.rmtree(folder / "stage" / name, ignore_errors=True)
        for printed in folder.glob(f"{name}-*.txt"):
            printed.unlink()


def main() -> int:
    """Entry point of the command line."""
    options, console = parse(), terminal.console()
    folder: Path = options.out.resolve()
    check_writable(folder)
    if folder.exists() and not (folder / "stage").is_dir() and any(folder.iterdir()):
        raise UserError(f"--out {folder} holds something else than an earlier chaos; give another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    struck = strike_all(options, folder, console)
    table(struck, console)
    wrong = [one for one in struck if not one.passed]
    console.print(
        f"{len(struck)} blows, {len(wrong)} with something wrong; {folder / 'chaos.jsonl'}", soft_wrap=True
    )
    return 1 if wrong or not struck else 0


if __name__ == "__main__":
    run_cli(main)
