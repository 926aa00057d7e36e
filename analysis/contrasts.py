"""Which arms of a design are compared with which, in families: what is counted by Holm, before a run and after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.arms import BASE, PlannedArm

AA = "A/A placebo"
CAPACITY = "capacity placebo"
MAIN, TOGETHER = "main effects", "two-way interactions"
EXCHANGES = ("removal", "addition")


@dataclass(frozen=True)
class Contrast:
    """`config` minus `against` (identities); `name` of the arm, its `reference`'s name, and what is said of it."""

    family: str
    name: str
    config: str
    against: str
    reference: str
    note: str = ""


def contrasts(arms: Mapping[str, PlannedArm]) -> dict[str, list[Contrast]]:
    """Family -> its comparisons, of an ablation around a base. Every arm is compared with the base, but a capacity placebo
    of something added with the arm that has it as it is. None of a factorial and of a path."""
    base = next((config for config, arm in arms.items() if arm.family == BASE), None)
    families: dict[str, list[Contrast]] = {}
    added = {arm.mechanism: config for config, arm in arms.items() if arm.family == "addition"}
    for config, arm in arms.items():
        if base is None or arm.family not in (*EXCHANGES, AA, CAPACITY):
            continue
        against = added.get(arm.mechanism, base) if arm.family == CAPACITY else base
        contrast = Contrast(arm.family, arm.name, config, against, arms[against].name, arm.note)
        families.setdefault(arm.family, []).append(contrast)
    return families


def factors(arms: Iterable[PlannedArm]) -> list[str]:
    """Names of the factors of a factorial; none of another design."""
    return next((list(arm.levels) for arm in arms if arm.family == "factorial"), [])


def level_matrix(arms: Sequence[PlannedArm]) -> np.ndarray:
    """int [runs, factors] of -1 and +1."""
    return np.array([list(arm.levels.values()) for arm in arms], dtype=int)


def clear_pairs(levels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of factors whose interaction stands apart from every main effect and every other two-way interaction:
    its column is orthogonal to theirs. levels int [runs, factors]."""
    pairs = list(combinations(range(levels.shape[1]), 2))
    columns = {pair: levels[:, pair[0]] * levels[:, pair[1]] for pair in pairs}
    return [
        pair
        for pair in pairs
        if not (columns[pair] @ levels).any()
        and not any(columns[pair] @ columns[other] for other in pairs if other != pair)
    ]


def confounded(levels: np.ndarray) -> list[int]:
    """Factors whose main effect has parts of two-way interactions in it."""
    pairs = combinations(range(levels.shape[1]), 2)
    products = np.array([levels[:, a] * levels[:, b] for a, b in pairs])
    return [factor for factor in range(levels.shape[1]) if (products @ levels[:, factor]).any()]


def corrected_families(arms: Mapping[str, PlannedArm]) -> dict[str, dict[str, list[str]]]:
    """Family -> what it is compared with -> names, of every family that Holm corrects: what is preregistered."""
    named = factors(arms.values())
    if named:
        levels = level_matrix([arm for arm in arms.values() if arm.family == "factorial"])
        pairs = [f"{named[a]} x {named[b]}" for a, b in clear_pairs(levels)]
        return {MAIN: {"- level": named}, **({TOGETHER: {"no interaction": pairs}} if pairs else {})}
    families: dict[str, dict[str, list[str]]] = {}
    for family, members in contrasts(arms).items():
        for each in members if family != AA else ():
            families.setdefault(family, {}).setdefault(each.reference, []).append(each.name)
    return families
