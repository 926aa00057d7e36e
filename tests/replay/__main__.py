"""`python -m tests.replay`: record a tree, compare two recordings, or compare this tree with a revision of it."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.replay.compare import Equality, compare
from tests.replay.record import record
from tests.replay.renames import Renames, ReplayError

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = """Whether the product still computes the same weights, logits and rows, bit for bit.

examples:
  python -m tests.replay record before.json
  python -m tests.replay compare before.json after.json
  python -m tests.replay against main --only minimal rp24
What is called otherwise since then is listed in tests/replay/renames.yaml. Recordings of two machines may differ."""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        equalities = arguments.does(arguments)
    except ReplayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if equalities is None:
        return 0
    print(table(equalities))
    return 1 if any(each.differences for each in equalities) else 0


def table(equalities: list[Equality]) -> str:
    """Configuration, what is equal of what there is, and the first of the differences."""
    lines = [f"{'configuration':<18} {'tensors':>11} {'arrays':>9} {'rows':>11}  first difference"]
    for each in equalities:
        counts = [f"{equal}/{every}" for equal, every in each.counts.values()] or ["-", "-", "-"]
        first = each.differences[0] if each.differences else ""
        more = f" (and {len(each.differences) - 1} more)" if len(each.differences) > 1 else ""
        lines.append(
            f"{each.name:<18} {counts[0]:>11} {counts[1]:>9} {counts[2]:>11}  {first}{more}".rstrip()
        )
    unlike = sum(bool(each.differences) for each in equalities)
    verdict = (
        "all equal bit for bit" if not unlike else f"{unlike} of {len(equalities)} configurations differ"
    )
    return "\n".join([*lines, verdict])


def _record(arguments: argparse.Namespace) -> None:
    recording = record(arguments.tree, only=tuple(arguments.only), jobs=arguments.jobs, tell=_tell)
    arguments.out.write_text(json.dumps(recording, indent=0), encoding="utf-8")
    print(f"{len(recording['configurations'])} configurations are in {arguments.out}")


def _compare(arguments: argparse.Namespace) -> list[Equality]:
    before, after = (_load(file) for file in (arguments.before, arguments.after))
    return compare(before, after, Renames.read(ROOT))


def _against(arguments: argparse.Namespace) -> list[Equality]:
    """The revision first, by the recorder and the configurations of today and in the names of its own renames."""
    only, jobs = tuple(arguments.only), arguments.jobs
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        tree = Path(folder) / "revision"
        _git("worktree", "add", "--quiet", "--detach", str(tree), arguments.revision)
        try:
            before = record(
                tree, only=only, jobs=jobs, tell=lambda line: _tell(f"{arguments.revision}: {line}")
            )
        finally:
            _git("worktree", "remove", "--force", str(tree))
    after = record(ROOT, only=only, jobs=jobs, tell=lambda line: _tell(f"here: {line}"))
    return compare(before, after, Renames.read(ROOT))


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReplayError(f"git {' '.join(arguments[:2])}: {done.stderr.strip()}")


def _load(file: Path) -> dict[str, Any]:
    try:
        recording = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(recording, dict) or not {"renames", "complete", "configurations"} <= set(recording):
            raise ValueError("it is no recording")
    except (OSError, ValueError) as error:
        raise ReplayError(f"{file} cannot be read: {error}") from None
    return recording


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.replay",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="record|compare|against")
    records = argparse.ArgumentParser(add_help=False)
    records.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these configurations alone")
    records.add_argument(
        "--jobs", type=int, default=1, help="configurations at a time (default: %(default)s)"
    )
    recording = commands.add_parser("record", parents=[records], help="train and write what it computes")
    recording.add_argument("out", type=Path, metavar="OUT.json")
    recording.add_argument(
        "--tree", type=Path, default=ROOT, help="root of the product's code (default: this one)"
    )
    recording.set_defaults(does=_record)
    comparing = commands.add_parser("compare", help="compare two recordings")
    comparing.add_argument("before", type=Path, metavar="BEFORE.json")
    comparing.add_argument("after", type=Path, metavar="AFTER.json")
    comparing.set_defaults(does=_compare)
    against = commands.add_parser(
        "against", parents=[records], help="record a revision and this tree, and compare"
    )
    against.add_argument("revision", metavar="REVISION")
    against.set_defaults(does=_against)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
