"""Every combination, or a fraction of them, of factors with two levels: mechanisms on and off, and keys of the space."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from analysis.errors import nearest
from harness.config.blocks.design import Arm, Basis, DesignBlock, Enumerated, Varied, design
from harness.config.blocks.distinct import Distinct
from harness.config.blocks.explain import ConfigError
from harness.config.space.distributions import word
from harness.design.factor import Factor, at_levels, inert
from harness.design.removal import Switched, removal
from harness.design.settling import KeptError, mechanisms_of
from harness.design.two_level import (
    MOST_FACTORS,
    Word,
    aliases,
    defining,
    find_generators,
    fraction,
    full,
    partial_aliases,
    plackett_burman,
    resolution_of,
)

LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Names of factors in words; I is the identity."""
MOST_RUNS = 1024


class FactorialBlock(DesignBlock):
    """Which factors there are beside the entries of the space, and which combinations of them run."""

    factors: Annotated[list[str], Distinct] = Field(default_factory=list)
    """Keys of mechanisms of the base (`python -m harness.mechanisms`): + as in the base, - taken out."""
    runs: Literal["full", "fractional", "plackett_burman"] = "full"
    """full: every combination; fractional: a regular fraction; plackett_burman: main effects in the fewest runs."""
    resolution: int | None = Field(None, ge=3, le=7)
    """Of a fraction: the smallest one in which the shortest alias of the mean has so many letters (5 where neither this nor
    generators are given)."""
    generators: list[str] = Field(default_factory=list)
    """Of a fraction, in letters of the factors in their order: `E = ABCD`."""


@design("factorial")
class Factorial(Enumerated):
    """Full, fractional and Plackett-Burman designs over factors with two levels: which mechanisms act, and which act
    otherwise beside others? Says before it runs which effects cannot be told apart."""

    options = FactorialBlock
    ablates = True
    folds = "each cell line"
    runs = "combines factors with two levels"

    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        for name, entry in space.entries.items():
            values = entry.values()
            if values is None or len(values) != 2:
                yield (
                    name,
                    f"{name} ({entry.text()}) is no factor with two levels, as design: {self.name} needs it",
                )
            linked = [*entry.when]
            if linked:
                yield (
                    name,
                    f"{name} exists only when {linked[0]} has a value (when), and the factors of design: {self.name} are "
                    "free of each other: leave it out of space, or vary both as the named options of one entry",
                )

    def arms(self, basis: Basis) -> list[Arm]:
        factors = self.factors(basis)
        arms = []
        for row in self.levels(basis, len(factors)):
            levels = {factor.name: int(level) for factor, level in zip(factors, row, strict=True)}
            name = " ".join(f"{'+' if level > 0 else '-'}{name}" for name, level in levels.items())
            arms.append(Arm(at_levels(factors, row), name, "factorial", levels=levels))
        return arms

    def levels(self, basis: Basis, factors: int) -> np.ndarray:
        """int [runs, factors] of -1 and +1; ConfigError for a design that there is not."""
        options: FactorialBlock = basis.options
        idle = [key for key in ("resolution", "generators") if getattr(options, key)]
        if options.runs != "fractional" and idle:
            raise ConfigError(
                f"design.{idle[0]}", f"design.{idle[0]} is of a fraction, and design.runs is {options.runs}"
            )
        if options.runs == "plackett_burman":
            return plackett_burman(factors)
        generators = self.generators(basis, factors)
        basic = factors - len(generators)
        if 2**basic > MOST_RUNS:
            raise ConfigError(
                "design.runs",
                f"{factors} factors are {2**basic} runs, expected at most {MOST_RUNS}",
            )
        return fraction(basic, generators) if generators else full(factors)

    def generators(self, basis: Basis, factors: int) -> list[Word]:
        """Those of the fraction that the options ask for; none of a full design."""
        options: FactorialBlock = basis.options
        if options.runs == "full":
            return []
        if not options.generators:
            wanted = options.resolution or 5
            if factors > MOST_FACTORS:
                raise ConfigError(
                    "design.runs",
                    f"a fraction of {factors} factors needs its generators: they are looked for up to {MOST_FACTORS}",
                )
            generators = find_generators(factors, wanted)
            if not generators:
                raise ConfigError(
                    "design.resolution",
                    f"{factors} factors have no fraction of resolution {wanted}: use runs: full",
                )
            return generators
        basic = factors - len(options.generators)
        words = []
        for place, text in enumerate(options.generators):
            left, equals, right = text.replace(" ", "").partition("=")
            letters = frozenset(LETTERS.find(letter) for letter in right)
            made, known = LETTERS[max(basic, 2) + place], LETTERS[: max(basic, 2)]
            fits = equals and left == LETTERS[basic + place] and len(right) == len(letters) >= 2
            if basic < 1 or not fits or not letters <= set(range(basic)):
                raise ConfigError(
                    f"design.generators.{place}",
                    f"generator '{text}': expected {made} = a product of two or more of {known}, such as {made} = {known}",
                )
            words.append(letters)
        asked, reached = max(3, options.resolution or 3), resolution_of(basic, words)
        if reached < asked:
            raise ConfigError(
                "design.resolution",
                f"these generators have resolution {reached}, not {asked}",
            )
        return words

    def factors(self, basis: Basis) -> list[Factor]:
        """Mechanisms first, then the entries of the space; ConfigError for fewer than two, and for two that are linked."""
        taken = [self._mechanism(basis, place, key) for place, key in enumerate(basis.options.factors)]
        for place, one in enumerate(taken):
            for other in taken[:place]:
                linked = other.mechanism.key in one.along or one.mechanism.key in other.along
                if linked or one.config.id == other.config.id:
                    raise ConfigError(
                        f"design.factors.{place}",
                        f"{one.mechanism.key} and {other.mechanism.key} are linked, one goes with the "
                        "other, and factors are free of each other: leave one of them out",
                    )
        factors = [
            Factor(
                each.mechanism.key,
                each.changes,
                {},
                (self._without(each), each.mechanism.key),
                f"design.factors.{place}",
                each.along,
            )
            for place, each in enumerate(taken)
        ]
        for name, entry in basis.space.entries.items():
            low, high = entry.values() or ()
            factors.append(
                Factor(
                    name,
                    dict(entry.changes(name, low)),
                    dict(entry.changes(name, high)),
                    (word(low), word(high)),
                    f"space.{name}",
                )
            )
        if len(factors) < 2:
            raise ConfigError("design", "expected at least two factors, in design.factors or space")
        if len(factors) > len(LETTERS):
            raise ConfigError("design", f"{len(factors)} factors, expected at most {len(LETTERS)}")
        self._refuse_shared(factors)
        return factors

    def inert(self, basis: Basis) -> Iterator[tuple[str, str]]:
        factors = self.factors(basis)
        for factor, sentence in inert(factors, self.levels(basis, len(factors)), basis.compose):
            yield factor.place, sentence

    def lines(self, basis: Basis) -> list[str]:
        factors = self.factors(basis)
        said = [
            f"{letter} = {factor.name}: - {factor.texts[0]}, + {factor.texts[1]}"
            + (f" (takes {', '.join(factor.along)} with it)" if factor.along else "")
            for letter, factor in zip(LETTERS, factors, strict=False)
        ]
        options: FactorialBlock = basis.options
        if options.runs == "plackett_burman":
            return [*said, *_partial(self.levels(basis, len(factors)))]
        generators = self.generators(basis, len(factors))
        if not generators:
            return [*said, "a full factorial: every main effect and interaction is clear of all others"]
        return [*said, *_regular(len(factors), generators)]

    def words(self, sampler: str) -> str:
        return "combinations of two levels per factor"

    def _mechanism(self, basis: Basis, place: int, key: str) -> Switched:
        present = {each.key: each for each in mechanisms_of(basis.compose({}))}
        if key not in present:
            able = [each.key for each in present.values() if each.without]
            raise ConfigError(
                f"design.factors.{place}",
                f"the base has no mechanism '{key}'{nearest(key, able)} (those that can be taken out: {', '.join(able)})",
            )
        try:
            return removal(basis.compose, present[key])
        except KeptError as reason:
            raise ConfigError(f"design.factors.{place}", f"{key} stays: {reason}") from None

    @staticmethod
    def _without(each: Switched) -> str:
        return ", ".join(each.instead) or "taken out"

    @staticmethod
    def _refuse_shared(factors: Sequence[Factor]) -> None:
        owner: dict[str, str] = {}
        for factor in factors:
            for path in {**factor.low, **factor.high}:
                if owner.setdefault(path, factor.name) != factor.name:
                    raise ConfigError(
                        "design",
                        f"{owner[path]} and {factor.name} both set {path}: leave one out",
                    )


def _letters(effect: Word) -> str:
    return "".join(LETTERS[each] for each in sorted(effect))


def _regular(factors: int, generators: Sequence[Word]) -> list[str]:
    """Generators, defining relation and aliases of a fraction, in words."""
    basic = factors - len(generators)
    words = defining(basic, generators)
    made = ", ".join(f"{LETTERS[basic + place]} = {_letters(each)}" for place, each in enumerate(generators))
    said = [
        f"2^({factors}-{len(generators)}) fraction, {2**basic} runs, resolution {resolution_of(basic, generators)}: {made}",
        "I = " + " = ".join(map(_letters, words)),
    ]
    groups = [group for group in aliases(factors, words) if len(group) > 1]
    if groups:
        said.append(
            "aliased (up to two factors): " + "; ".join(" = ".join(map(_letters, each)) for each in groups)
        )
    clear = [_letters(group[0]) for group in aliases(factors, words) if len(group) == 1]
    return [*said, "clear of all effects of up to two factors: " + (", ".join(clear) or "none")]


def _partial(levels: np.ndarray) -> list[str]:
    """Which interactions enter each main effect of a Plackett-Burman design, and by how much."""
    said = [
        f"Plackett-Burman, {len(levels)} runs: main effects clear of each other, and each with parts of interactions:"
    ]
    entries: dict[int, list[str]] = {}
    for factor, pair, coefficient in partial_aliases(levels):
        share = f"{coefficient:+.2f}".replace("+1.00", "+").replace("-1.00", "-")
        entries.setdefault(factor, []).append(f"{share} {_letters(frozenset(pair))}")
    return said + [f"  {LETTERS[factor]} {' '.join(parts)}" for factor, parts in entries.items()]
