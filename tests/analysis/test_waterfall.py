"""The steps of a path by hand: means and paired differences on the seeds that report, Holm over a walk, what is left."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from analysis.criteria import CRITERIA
from analysis.effects_view import effects_view, every_unit
from analysis.store import Run
from analysis.waterfall import FILE, Waterfall, waterfalls
from tests.recorded.copies import Copy, write_run, write_unit

AUPR = CRITERIA["aupr"]
CHOSEN, REPORTED = [0, 2, 4], [1, 3, 5]
LIFTS = {
    "b": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "x": (0.1, 0.01, 0.1, 0.02, 0.1, 0.03),
    "xy": (0.2, 0.05, 0.2, 0.06, 0.2, 0.1),
    "xyz": (0.0, 0.08, 0.0, 0.0901, 0.0, 0.1299),
}
"""What is added to the base's value with seeds 0 to 5. On the seeds that report the steps add (0.01, 0.02, 0.03),
(0.04, 0.04, 0.07) and (0.03, 0.0301, 0.0299); on those that chose 0.1, 0.1 and -0.2."""
STEPS = [("minimal", "b"), ("+ x", "x"), ("+ y", "xy"), ("+ z", "xyz")]
# t = 2 sqrt(3), 5 and 300 sqrt(3); with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2).
T = (2 * math.sqrt(3), 5.0, 300 * math.sqrt(3))
P = [1 - t / math.sqrt(t**2 + 2) for t in T]


def path(folder: Path, lifts: Mapping[str, tuple[float, ...]] = LIFTS) -> Run:
    """A run of these configurations, and a walk over them."""
    run = write_run(
        folder / "run", [Copy(c, {"arm": c}, lift=each, steady=True) for c, each in lifts.items()], range(6)
    )
    steps = [{"name": name, "config": config} for name, config in STEPS]
    content = {"chosen": CHOSEN, "reported": REPORTED, "walks": [{"title": "from minimal", "steps": steps}]}
    (run / FILE).write_text(json.dumps(content))
    return Run(run)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return path(tmp_path_factory.mktemp("whole"))


def walked(run: Run, rope: float = 0.005) -> Waterfall:
    seeds, (walk,) = waterfalls(run, every_unit(run), AUPR, rope)
    assert seeds == REPORTED
    return walk


def test_a_step_is_paired_with_the_one_before_on_reporting_seeds(whole: Run) -> None:
    walk = walked(whole)
    start, *falls = walk.falls
    assert (walk.title, walk.left_out) == ("from minimal", 0)
    assert [(fall.name, fall.config) for fall in walk.falls] == STEPS
    assert (start.effect, start.verdict) == (None, "")
    assert math.isnan(start.p)
    assert [fall.value - start.value for fall in falls] == pytest.approx([0.02, 0.07, 0.1])
    assert [fall.chose - start.chose for fall in falls] == pytest.approx([0.1, 0.2, 0.0])
    effects = [fall.effect for fall in falls if fall.effect is not None]
    assert [each.interval.mean for each in effects] == pytest.approx([0.02, 0.05, 0.03])
    assert [each.interval.sd for each in effects] == pytest.approx([0.01, 0.03 / math.sqrt(3), 0.0001])
    assert [each.p_t for each in effects] == pytest.approx(P, rel=1e-6)
    # 4.302653: the 97.5 % point of t with 2 degrees of freedom.
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert (effects[0].interval.low, effects[0].interval.high) == pytest.approx((0.02 - half, 0.02 + half))


def test_holm_runs_over_the_steps_of_a_walk(whole: Run) -> None:
    falls = walked(whole).falls[1:]
    assert pytest.approx([0.0741799, 0.0377498, 3.7037e-6], rel=1e-4) == P
    # The smallest times 3, the next times 2, the largest no less than that.
    assert [fall.p for fall in falls] == pytest.approx([2 * P[1], 2 * P[1], 3 * P[2]], rel=1e-6)
    assert [fall.verdict for fall in falls] == ["unknown", "unknown", "better"]


def test_a_unit_that_ended_early_is_in_no_step(tmp_path: Path) -> None:
    run = path(tmp_path)
    cut = Copy("x", {"arm": "x"}, lift=LIFTS["x"], steady=True)
    write_unit(run.path, replace(cut, status="stopped"), 5)
    walk = walked(Run(run.path))
    start, first, second, third = walk.falls
    assert walk.left_out == 2, "the step to it and the step from it"
    assert first.value - start.value == pytest.approx(0.015), "of seeds 1 and 3"
    assert [fall.effect.interval.n for fall in (first, second, third) if fall.effect] == [2, 2, 3]
    assert [fall.effect.interval.mean for fall in (first, second) if fall.effect] == pytest.approx(
        [0.015, 0.04]
    )


def test_a_step_without_units_has_no_number(tmp_path: Path) -> None:
    walk = walked(path(tmp_path, {config: LIFTS[config] for config in ("b", "x", "xyz")}))
    _, first, second, third = walk.falls
    assert first.effect is not None
    assert first.p == pytest.approx(3 * P[0]), "the others count for Holm"
    assert [fall.verdict for fall in (second, third)] == ["unknown", "unknown"]
    assert math.isnan(second.value)
    assert math.isnan(second.chose)
    assert third.value > 0


def test_nothing_walked_is_nothing_told(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run", [Copy("b")], seeds=(0,)))
    assert waterfalls(run, every_unit(run), AUPR, 0.005) == ([], [])


def test_the_view_has_a_row_per_step_in_80_columns(whole: Run) -> None:
    console = Console(file=StringIO(), width=80)
    for part in effects_view(whole):
        console.print(part)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert "Path from minimal: reported on seeds 1, 3, 5" in lines
    (row,) = [line.split() for line in lines if line.strip().startswith("+ z")]
    assert row[3:] == ["+0.0300", "+0.0298", "to", "+0.0302", "1.1e-05", "better"]
