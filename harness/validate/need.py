"""Which configurations are to be trained further: those whose units a rule can be judged on that has too few yet."""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.validate.cases import Row
from harness.validate.recipes import RECIPES
from harness.validate.trials import SmallTrial


def able_counts(healthy: Sequence[Row], rules: Sequence[str]) -> dict[str, int]:
    """Healthy units that each rule can be judged on."""
    return {rule: sum(rule not in row["unable"] for row in healthy) for rule in rules}


def in_need(
    arms: Sequence[SmallTrial], turn: int, healthy: Sequence[Row], rules: Sequence[str], wanted: int
) -> Iterator[SmallTrial]:
    """The arms to be trained in a turn (from 0 on), where each rule is wanted to be judged on so many healthy units: all in
    the first one; later ones that have units on which a rule that lacks some can be judged. Those whose documents name a
    fault are trained once, since none of their units counts as healthy."""
    lacking = {rule for rule, count in able_counts(healthy, rules).items() if count < wanted}
    helps: Counter[tuple[str, str]] = Counter()
    for row in healthy:
        helps[row["recipe"], row["form"]] += len(lacking - set(row["unable"]))
    for arm in arms:
        if turn == 0 or (helps[arm.recipe, arm.place.form] and RECIPES[arm.recipe].documented is None):
            yield arm
