"""Two-level designs: full, regular fractions by generators, and Plackett-Burman, with their aliases.

Levels are -1 and +1; a factor is a number, a word (an interaction) a set of them.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
from scipy.linalg import hadamard

Word = frozenset[int]
MOST_FACTORS = 11
"""Factors of a fraction that generators are looked for."""


def full(factors: int) -> np.ndarray:
    """Every combination of `factors` levels, int [2^factors, factors]; the last factor varies fastest."""
    return np.array(list(product((-1, 1), repeat=factors)), dtype=int).reshape(-1, factors)


def fraction(basic: int, generators: Sequence[Word]) -> np.ndarray:
    """The full design of the `basic` first factors with a further column per generator, the product of the columns that it
    names: int [2^basic, basic + generators]."""
    columns = full(basic)
    added = [columns[:, sorted(word)].prod(1) for word in generators]
    return np.column_stack([columns, *added])


def find_generators(factors: int, resolution: int) -> list[Word]:
    """Generators of the smallest regular fraction of `factors` factors with at least that resolution: of each further
    factor, the basic ones whose product it is. Empty where only the full design has it.

    Raises
    ------
    ValueError
        for more than 11 factors: that no smaller fraction has it takes long to see.
    """
    if factors > MOST_FACTORS:
        raise ValueError(f"{factors} factors; generators are looked for up to {MOST_FACTORS}")
    for basic in range(max(1, (factors).bit_length() - 1), factors):
        words = [
            frozenset(word)
            for size in range(resolution - 1, basic + 1)
            for word in combinations(range(basic), size)
        ]
        chosen = _choose(basic, factors - basic, words[::-1], [], resolution)
        if chosen is not None:
            return chosen
    return []


def _choose(
    basic: int, missing: int, words: Sequence[Word], chosen: list[Word], resolution: int
) -> list[Word] | None:
    if not missing:
        return chosen
    for place, word in enumerate(words):
        more = [*chosen, word]
        if min(map(len, defining(basic, more))) >= resolution:
            whole = _choose(basic, missing - 1, words[place + 1 :], more, resolution)
            if whole is not None:
                return whole
    return None


def defining(basic: int, generators: Sequence[Word]) -> list[Word]:
    """The words whose columns are +1 in every run (the defining relation), the shortest first."""
    single = [word ^ {basic + place} for place, word in enumerate(generators)]
    words: set[Word] = set()
    for size in range(1, len(single) + 1):
        for some in combinations(single, size):
            product_word: Word = frozenset()
            for word in some:
                product_word ^= word
            words.add(product_word)
    return sorted(words, key=lambda word: (len(word), sorted(word)))


def resolution_of(basic: int, generators: Sequence[Word]) -> int:
    """Length of the shortest word of the defining relation; 0 of a full design, whose effects are all clear."""
    return min(map(len, defining(basic, generators)), default=0)


def aliases(factors: int, words: Sequence[Word], order: int = 2) -> list[list[Word]]:
    """Groups of effects of at most `order` factors that one contrast estimates together, by the defining `words`; effects
    that are clear of each other stand alone."""
    effects = [
        frozenset(effect) for size in range(1, order + 1) for effect in combinations(range(factors), size)
    ]
    groups: list[list[Word]] = []
    for effect in effects:
        group = next((each for each in groups if effect ^ each[0] in set(words)), None)
        if group is None:
            groups.append([effect])
        else:
            group.append(effect)
    return groups


def plackett_burman(factors: int) -> np.ndarray:
    """The smallest Plackett-Burman design with a column per factor, int [N, factors], N > factors a multiple of 4: Paley's
    construction, which gives the rows of Plackett and Burman (1946), or Sylvester's.

    Raises
    ------
    ValueError
        for more factors than there is a construction for.
    """
    for runs in range(4 * (factors // 4 + 1), 4 * (factors // 4 + 1) + 64, 4):
        if _is_prime(runs - 1):
            return _paley(runs - 1)[:, :factors]
        if runs & (runs - 1) == 0:
            return -hadamard(runs).astype(int)[:, 1 : factors + 1]
    raise ValueError(f"there is no Plackett-Burman design of {factors} factors here")


def _paley(prime: int) -> np.ndarray:
    """Rows: the first generating row (+1 at 0 and at the squares modulo `prime`), shifted, and one of -1."""
    squares = {pow(number, 2, prime) for number in range(prime)}
    row = np.array([1 if place in squares else -1 for place in range(prime)])
    return np.vstack([*(np.roll(row, shift) for shift in range(prime)), -np.ones(prime, dtype=int)]).astype(
        int
    )


def _is_prime(number: int) -> bool:
    return number % 4 == 3 and all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))


def partial_aliases(levels: np.ndarray) -> Iterator[tuple[int, tuple[int, int], float]]:
    """(factor, pair of others, coefficient) with which the interaction of the pair enters the main effect of the factor:
    E[effect of i] = beta_i + sum coefficient beta_jk; those that are 0 left out. levels int [N, factors]."""
    count = levels.shape[1]
    for factor in range(count):
        for pair in combinations([each for each in range(count) if each != factor], 2):
            coefficient = float((levels[:, factor] * levels[:, pair[0]] * levels[:, pair[1]]).mean())
            if coefficient:
                yield factor, pair, coefficient
