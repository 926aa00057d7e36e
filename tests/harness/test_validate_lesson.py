"""Whether a Student has learnt is told by labels: of made-up units whose truth is known, and by no variance."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.validate.cases import trained_rows
from harness.validate.figures import Lessons, Proportion, lesson_figures
from harness.validate.health import EndedTrials, TrialUnit
from harness.validate.lesson import LAZY, LEARNT, UNDECIDED, Gain, Lesson, lesson
from harness.validate.planted import FAULTS
from tests.analysis.rule_units import unit

LINES = ("A", "B", "C", "D")
LEVEL = np.array([-1.5, -0.5, 0.5, 1.5])
LEDGER = {"phase": 2, "form": "linear"}


def made(
    teacher: np.ndarray,
    student: np.ndarray,
    *,
    level: float = 1.0,
    pairs: int = 400,
    seed: int = 0,
    epochs: int = 3,
) -> Lesson | None:
    """The lesson of a unit whose labels are drawn from u - level R of each line, scored by its Student."""
    rng = np.random.default_rng(seed)
    at = np.repeat(np.arange(len(LINES)), pairs)
    u = rng.normal(size=len(at))
    label = (rng.random(len(at)) < 1 / (1 + np.exp(level * LEVEL[at] - u))).astype(int)
    told: dict[str, Any] = {"split": "val_seen", "draw": 0, "cell_line": np.array(LINES)[at], "label": label}
    predictions = pd.DataFrame({**told, "u": u, "r": student[at], "t": 1.0})
    unseen = predictions.assign(split="val_unseen", cell_line="Z", r=9.0)
    embeddings = pd.DataFrame({
        "split": "val_seen", "draw": 0, "cell_line": LINES, "r_cell": student, "r_student": student, "r_teacher": teacher
    })  # fmt: skip
    return lesson(LEDGER, pd.concat([predictions, unseen]), embeddings)


@pytest.mark.parametrize(
    ("student", "verdict"),
    [
        (LEVEL, LEARNT),
        (LEVEL + 3.0, LEARNT),
        (0.2 * LEVEL, LEARNT),
        (0.02 * LEVEL, LAZY),
        (np.full(4, 0.3), LAZY),
        (LEVEL[[1, 3, 0, 2]], LAZY),
        (-LEVEL, LAZY),
    ],
    ids=[
        "as the Teacher",
        "a constant beside it",
        "a fifth of it",
        "a fiftieth of it",
        "constant",
        "of other lines",
        "reversed",
    ],
)
def test_what_a_student_has_learnt(student: np.ndarray, verdict: str) -> None:
    """A fifth of the Teacher's R has 4 % of its variance, which the rule would accuse, and the labels say that it knows
    something; numbers of the wrong lines have all of it, and know nothing. A fiftieth gains without doubt, and next to
    nothing."""
    said = made(LEVEL, student)
    assert said is not None
    assert said.verdict == verdict
    assert said.teacher.low > 0


def test_who_does_not_follow_noise_is_not_lazy() -> None:
    said = [made(LEVEL, np.full(4, 0.3), level=0.0, seed=seed) for seed in range(20)]
    assert all(each is not None and each.verdict == UNDECIDED for each in said)


def test_a_gain_is_that_of_the_likelihood() -> None:
    said = made(LEVEL, LEVEL)
    assert said is not None
    assert said.teacher == said.student
    assert said.short.mean == pytest.approx(-0.9 * said.student.mean)
    rng = np.random.default_rng(1)
    each = rng.normal(size=50)
    gain = Gain.of(each)
    half = 2.009575 * each.std(ddof=1) / 50**0.5
    assert (gain.low, gain.high) == pytest.approx((each.mean() - half, each.mean() + half), abs=1e-5)


def test_without_a_teacher_there_is_no_lesson() -> None:
    assert made(np.full(4, np.nan), LEVEL) is None


def test_labels_have_no_part_in_health_and_stand_beside_the_rule() -> None:
    none, lazy = Gain(0.0, -0.1, 0.1), Lesson(Gain(0.3, 0.2, 0.4), Gain(0.0, -0.1, 0.1), Gain(0.15, 0.1, 0.2))
    learnt, unsure = Lesson(none, Gain(0.3, 0.2, 0.4), Gain(-0.3, -0.4, -0.2)), Lesson(none, none, none)
    assert Lesson.from_row(json.loads(json.dumps(asdict(lazy)))) == lazy
    logged = {"student_var": 0.01, "teacher_var": 1.0}
    scores = {name: np.zeros(1) for name in ("label", "cell_line", "u", "logit")}
    units = []
    for number, (said, taught) in enumerate(((lazy, (0.2, 0.3)), (learnt, (0.3, 0.2)), (unsure, (0.2, 0.3)))):
        records = unit(loss=(0.6, 0.5), idle=0.2, taught=taught, logged=logged, promoter=0.6)
        units.append(TrialUnit(f"u{number}", "taught", "linear", 1, records, scores, lesson=said))
    ended = EndedTrials([], [], [], 3)
    for each in units:
        ended.of(each, {"active"}).append(each)
    assert ended.healthy == units
    rows = list(trained_rows(units, FAULTS))
    assert [row["lesson"]["verdict"] for row in rows] == [LAZY, LEARNT, UNDECIDED]
    counted = {
        LEARNT: Proportion(0, 1),
        UNDECIDED: Proportion(1, 1),
        LAZY: Proportion(1, 1),
    }
    assert lesson_figures(rows) == [Lessons("taught", counted), Lessons("all", counted)]
