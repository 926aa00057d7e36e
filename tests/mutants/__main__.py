"""`python -m tests.mutants [NAME ...]`: whether the tests notice every line that is wrong on purpose."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import MutantError
from tests.mutants.run import copy_tree, outcome

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = """Apply each mutant to a copy of the working tree and run the tests that have to fail there.

A mutant dies where at least one of its tests fails by an assertion. Exit status: 0 when all die, 1 when one survives."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutants alone")
    names = parser.parse_args().names
    known = [mutant.name for mutant in MUTANTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"error: there is no mutant '{unknown[0]}'; they are {', '.join(known)}", file=sys.stderr)
        return 2
    wanted = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copy_tree(ROOT, Path(folder))
        for mutant in wanted:
            try:
                each = outcome(mutant, copy)
            except MutantError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            outcomes.append(each)
            verdict = "died" if each.died else "SURVIVED"
            print(f"{verdict:<9} {mutant.name:<28} {each.seconds:5.1f} s  {each.reason}", flush=True)
    died = sum(each.died for each in outcomes)
    print(f"{died} of {len(outcomes)} mutants died")
    return 0 if died == len(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
