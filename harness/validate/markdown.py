"""The figures of the rules as the tables of `docs/ranking.md`."""

from collections.abc import Iterable

from harness.validate.figures import Proportion, RuleFigures

_RULES = (
    "rule", "planted", "recall", "from", "false alarms, other half, up to", "of all healthy, up to", "precision at 10 %",
)  # fmt: skip
_GROUPS = ("healthy units", "number", "with a fault", "share", "up to")


def rules_markdown(figures: Iterable[RuleFigures]) -> str:
    """One row per rule: recall with its lower bound, false alarms with their upper ones, and precision."""
    rows = [
        [
            f"`{each.rule}`",
            str(each.recall.of),
            decimals(each.recall.value),
            decimals(each.recall.bounds[0]),
            *(
                f"{share.hits} of {share.of}, {decimals(share.bounds[1])}"
                for share in (each.alarms, each.every)
            ),
            decimals(each.precision),
        ]
        for each in figures
    ]
    return _table(_RULES, rows)


def groups_markdown(shares: dict[str, Proportion]) -> str:
    """One row per recipe and per form: healthy units that carry any fault."""
    rows = [
        [group, str(share.of), str(share.hits), decimals(share.value), decimals(share.bounds[1])]
        for group, share in sorted(shares.items())
    ]
    return _table(_GROUPS, rows)


def decimals(value: float) -> str:
    """With three decimals; a dash for NaN."""
    return "-" if value != value else f"{value:.3f}"


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heading = list(names)
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, ["---"] * len(heading), *rows))
