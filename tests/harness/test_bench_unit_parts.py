"""What a unit's time is made of adds up to the unit's time again."""

import pytest

from harness.bench.measurement import Time
from harness.bench.unit_parts import EPOCHS, STEPS, TEST, VALIDATION, UnitParts, Whole, added


def seconds(cpu: float) -> Time:
    return Time(2 * cpu, cpu)


def whole(pairs: int) -> Whole:
    """A unit whose steps take 0.5 s, a pair 0.01 s after an epoch and 0.04 s at the end, and 3 s are beside; of its pairs
    a third are tested."""
    scored = 2 * pairs // 3
    epoch = STEPS * 0.5 + 0.01 * scored
    return Whole(
        seconds(3.0), [*(EPOCHS - 1) * [seconds(epoch)], seconds(epoch + 0.04 * pairs)], pairs, scored
    )


def test_prices_of_pairs_are_those_of_more_pairs() -> None:
    few, many = whole(300), whole(3000)
    pair, last = many.epoch.per_more(few.epoch), many.end.per_more(few.end)
    # An epoch has its steps in it, the same ones whatever the pairs.
    assert pair == pytest.approx((0.02, 0.01))
    assert last == pytest.approx((0.08, 0.04))
    for unit in (few, many):
        assert unit.beside(seconds(0.5), pair, last) == pytest.approx((6.0, 3.0))


def test_a_unit_is_its_steps_its_pairs_and_the_rest() -> None:
    parts = UnitParts(step=seconds(0.5), pair=seconds(1e-3), last=seconds(2e-3), fixed=seconds(3.0))
    cpu = 10 * 7 * 0.5 + 10 * VALIDATION * 1e-3 + (VALIDATION + TEST) * 2e-3 + 3.0
    assert parts.unit(epochs=10, steps=7) == pytest.approx((2 * cpu, cpu))
    assert added(seconds(1.0), seconds(2.5)) == (7.0, 3.5)
