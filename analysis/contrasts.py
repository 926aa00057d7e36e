"""Which arms of a design are compared with which, in families: what is counted by Holm, before a run and after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.arms import BASE, PlannedArm

AA = "A/A placebo"
CAPACITY = "capacity placebo"
MAIN, TOGETHER = "main effects", "two-way interactions"
MECHANISMS = "mechanism contrasts"
"""The one family of an ablation that Holm corrects: its exchanges and its capacity placebos."""
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


@dataclass(frozen=True)
class Interactions:
    """Two-way interactions that one contrast estimates together: their sum, each with its sign; `column` int [runs]."""

    pairs: tuple[tuple[int, int], ...]
    signs: tuple[int, ...]
    column: np.ndarray

    def named(self, factors: Sequence[str]) -> str:
        """`a x b`, or `a x b + c x d` of those that the design cannot tell apart."""
        words = [f"{factors[a]} x {factors[b]}" for a, b in self.pairs]
        text = words[0]
        for sign, other in zip(self.signs[1:], words[1:], strict=True):
            text += f" {'+' if sign > 0 else '-'} {other}"
        return text


def interactions(levels: np.ndarray) -> list[Interactions]:
    """What a design says of two-way interactions: each alone at resolution V and in a full design, their aliased sums at
    IV, nothing where a main effect has parts of one in it (III, Plackett-Burman). A sum that is correlated with
    another one is left out. levels int [runs, factors]."""
    if confounded(levels):
        return []
    groups: list[Interactions] = []
    for pair in combinations(range(levels.shape[1]), 2):
        column = levels[:, pair[0]] * levels[:, pair[1]]
        for at, group in enumerate(groups):
            overlap = int(column @ group.column)
            if abs(overlap) == len(column):
                sign = 1 if overlap > 0 else -1
                groups[at] = Interactions((*group.pairs, pair), (*group.signs, sign), group.column)
                break
        else:
            groups.append(Interactions((pair,), (1,), column))
    return [
        group
        for group in groups
        if not any(group.column @ other.column for other in groups if other is not group)
    ]


def confounded(levels: np.ndarray) -> list[int]:
    """Factors whose main effect has parts of two-way interactions in it."""
    pairs = combinations(range(levels.shape[1]), 2)
    products = np.array([levels[:, a] * levels[:, b] for a, b in pairs])
    return [factor for factor in range(levels.shape[1]) if (products @ levels[:, factor]).any()]


def corrected_families(arms: Mapping[str, PlannedArm]) -> dict[str, dict[str, list[str]]]:
    """Family -> what it is compared with -> names, of every family that Holm corrects: what is preregistered. All mechanism
    contrasts of an ablation are one family; interactions are one of their own."""
    named = factors(arms.values())
    if named:
        levels = level_matrix([arm for arm in arms.values() if arm.family == "factorial"])
        pairs = [each.named(named) for each in interactions(levels)]
        return {MAIN: {"- level": named}, **({TOGETHER: {"no interaction": pairs}} if pairs else {})}
    compared: dict[str, list[str]] = {}
    for family, members in contrasts(arms).items():
        for each in members if family != AA else ():
            compared.setdefault(each.reference, []).append(each.name)
    return {MECHANISMS: compared} if compared else {}
