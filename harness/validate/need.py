"""Which configurations are to be trained further: those whose units a rule can be judged on that has too few yet."""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.validate.cases import Row
from harness.validate.recipes import RECIPES
from harness.validate.trials import SmallTrial


def able_counts(healthy: Sequence[Row], rules: Sequence[str]) -> dict[str, float]:
    """Healthy units that each rule can be judged on."""
    return {rule: sum(rule not in row["unable"] for row in healthy) for rule in rules}


def in_need(
    arms: Sequence[SmallTrial], turn: int, healthy: Sequence[Row], rules: Sequence[str], wanted: int
) -> Iterator[SmallTrial]:
    """The arms to be trained in a turn (from 0 on), where each rule is wanted to be judged on so many healthy units: all in
    the first one. Later ones of which a rule that lacks some can be judged on at least a quarter of the units, until as
    many more as each of them gave in a turn before would suffice. Those with a fault of their own are trained once, since
    none of their units counts as healthy."""
    counts = able_counts(healthy, rules)
    gave: Counter[tuple[str, str, str]] = Counter()
    for row in healthy:
        gave.update((row["recipe"], row["form"], rule) for rule in rules if rule not in row["unable"])
    for arm in arms:
        of_arm = {rule: gave[arm.recipe, arm.place.form, rule] for rule in rules}
        few = turn * RECIPES[arm.recipe].seeds / 4
        helps = any(count >= few and counts[rule] < wanted for rule, count in of_arm.items())
        if turn == 0:
            yield arm
        elif helps and RECIPES[arm.recipe].fault is None:
            for rule, count in of_arm.items():
                counts[rule] += count / turn
            yield arm
