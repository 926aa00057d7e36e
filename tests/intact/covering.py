"""Generator of the intact matrix: `python -m tests.intact.covering` prints rows.yaml."""

import itertools
import random
from collections.abc import Iterator

from harness.config.blocks.explain import ConfigError
from harness.config.space.compose import SEARCH_SPACES
from tests.intact.factors import ENERGIES, FACTORS, MANY, REAL, SCOPES, Row, configuration, defaults

MOST = 80
"""Rows of the covering array at most."""
TRIES = 60
"""Random orders in which each row is filled, of which the one that covers most is kept."""
Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two (factor, level), in the order of the factors."""
HEAD = """\
# The intact matrix, as tests/intact/covering.py made it: every preset on few and on many cell lines, every energy at
# every scope that it has, with a fitted T on real pairs too, and an array that covers every pair of levels that can stand
# together.
# Regenerate: python -m tests.intact.covering
rows:
"""


def fits(row: Row) -> bool:
    """Whether a configuration may have it all at once."""
    try:
        configuration(row)
    except ConfigError:
        return False
    return True


def possible_pairs() -> set[Pair]:
    """Pairs of levels of two factors that may stand together where every other factor has its first level."""
    pairs = set()
    for one, other in itertools.combinations(FACTORS, 2):
        for level, beside in itertools.product(FACTORS[one], FACTORS[other]):
            if fits({**defaults(), one: level, other: beside}):
                pairs.add(((one, level), (other, beside)))
    return pairs


def pairs_of(row: Row) -> set[Pair]:
    """The pairs that a row covers."""
    return set(itertools.combinations([(factor, row[factor]) for factor in FACTORS], 2))


def covering() -> list[dict[str, str]]:
    """Rows that cover every possible pair: greedily, each the best of many orders of its factors, from one seed."""
    source, possible = random.Random(0), possible_pairs()
    waiting, rows = set(possible), []
    while waiting:
        seed = min(waiting)
        best: dict[str, str] = {}
        for _ in range(TRIES):
            row = _filled(dict(seed), possible, waiting, source)
            better = (
                len(waiting & pairs_of(row)) > len(waiting & pairs_of(best)) if best and row else bool(row)
            )
            best = row if better and fits(row) else best
        if not best:
            raise RuntimeError(f"no row has both {seed[0]} and {seed[1]}")
        waiting -= pairs_of(best)
        rows.append({factor: best[factor] for factor in FACTORS})
    return rows


def _filled(
    row: dict[str, str], possible: set[Pair], waiting: set[Pair], source: random.Random
) -> dict[str, str]:
    """The row with a level of every factor, each covering as much as it can; empty where none is possible."""
    order, places = [factor for factor in FACTORS if factor not in row], {f: k for k, f in enumerate(FACTORS)}
    source.shuffle(order)
    for factor in order:
        scores: list[tuple[int, float, str]] = []
        for level in FACTORS[factor]:
            ends = [sorted([(factor, level), held], key=lambda end: places[end[0]]) for held in row.items()]
            pairs = {(first, second) for first, second in ends}
            if pairs <= possible:
                scores.append((len(pairs & waiting), source.random(), level))
        if not scores:
            return {}
        row = {**row, factor: max(scores)[2]}
    return row


def matrix() -> Iterator[dict[str, str]]:
    """All rows with their names."""
    for file in sorted((SEARCH_SPACES / "presets").glob("*.yaml")):
        yield {"name": f"preset-{file.stem}", "preset": file.stem}
        yield {"name": f"preset-{file.stem}-{MANY}", "preset": file.stem, "data": MANY}
    for energy, scope in itertools.product(ENERGIES, SCOPES):
        row = {"name": f"energy-{energy}-{scope}", "energy": energy, "scope": scope}
        if fits(row):
            yield row
            # One unseen cell line validates on real pairs: a T that is fitted on it may absorb what the energy does.
            yield {**row, "name": f"fitted-{energy}-{scope}", "temperature": "calibrated", "data": REAL}
    for number, row in enumerate(covering(), 1):
        yield {"name": f"pairs-{number:02d}", **row}


def text() -> str:
    """rows.yaml."""
    lines = ("{" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}" for row in matrix())
    return HEAD + "".join(f"- {line}\n" for line in lines)


if __name__ == "__main__":
    print(text(), end="")
