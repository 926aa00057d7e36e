"""Falsifiable predictions: right answers where the truth is known, and none where the store lacks what it takes."""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from analysis.__main__ import main
from analysis.claims.claim import Claim, ClaimPart, above, below, change_of, seeds_apart
from analysis.claims.correction import correction
from analysis.claims.dip import dip
from analysis.claims.environment import environment
from analysis.claims.evaluate import COLUMNS, configuration_claims, judge, judged_configuration
from analysis.claims.features import distances, features, permutation_p
from analysis.claims.hull import hull_distance, left_out
from analysis.claims.information import nearest_neighbours
from analysis.claims.inputs import ClaimInputs
from analysis.claims.mutual_information import mutual_information, values_of
from analysis.claims.probes import of_label, of_line
from analysis.claims.validate import JUDGES, validities
from analysis.claims.worlds import (
    WORLDS,
    correction_world,
    environment_world,
    features_world,
    gate_world,
    vector_world,
)
from analysis.errors import UserError
from analysis.intervals import t_interval
from analysis.store import Run
from tests.recorded.copies import write

SLOW = ("mutual information", "potential")
"""Predictions whose estimators take a second per simulated unit."""


def by_definition(values: np.ndarray) -> float:
    """The dip as a linear programme: for each mode, the distribution function that is convex before and concave after it,
    maybe with a step there, and nearest to the empirical one."""
    x, n, best = np.sort(values), len(values), math.inf
    for mode in range(n):
        rows: list[np.ndarray] = []
        bounds: list[float] = []

        def at_most(terms: dict[int, float], bound: float) -> None:
            row = np.zeros(n + 2)
            row[list(terms)] = list(terms.values())
            rows.append(row)  # noqa: B023
            bounds.append(bound)  # noqa: B023

        before, distance = n, n + 1  # G left of the mode; G at the points is 0 to n - 1
        for i in range(n):
            left = before if i == mode else i
            for point, level in ((i, (i + 1) / n), (left, i / n)):
                at_most({point: 1, distance: -1}, level)
                at_most({point: -1, distance: -1}, -level)
        for side, sign in (([*range(mode), before], 1), (list(range(mode, n)), -1)):
            places = [x[mode if i == before else i] for i in side]
            for a in range(len(side) - 2):
                first, second = sign / (places[a + 1] - places[a]), sign / (places[a + 2] - places[a + 1])
                at_most({side[a]: -first, side[a + 1]: first + second, side[a + 2]: -second}, 0)
        at_most({before: 1, mode: -1}, 0)
        for i in range(n - 1):
            at_most({i: 1, before if i + 1 == mode else i + 1: -1}, 0)
        solved = linprog(np.eye(n + 2)[-1], A_ub=rows, b_ub=bounds, bounds=[(0, 1)] * (n + 2))
        best = min(best, solved.fun) if solved.status == 0 else best
    return best


def test_dip_is_the_distance_to_one_mode_by_its_definition() -> None:
    random = np.random.default_rng(0)
    for n in (4, 7, 10):
        sample = random.normal(size=n) + 6 * (random.random(n) < 0.5)
        assert dip(sample) == pytest.approx(by_definition(sample), abs=1e-7)


def test_dip_at_its_ends() -> None:
    assert dip(np.ones(5)) == 0.0
    assert dip(np.arange(10.0)) == pytest.approx(1 / 20)
    assert dip(np.repeat([0.0, 1.0], 50)) == pytest.approx(0.25, abs=0.01)


def test_distance_from_a_hull_by_hand() -> None:
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    assert hull_distance(np.array([1.0, 1.5]), square) == pytest.approx(0.0, abs=1e-9)
    assert hull_distance(np.array([1.0, 3.5]), square) == pytest.approx(1.5)
    assert hull_distance(np.array([3.0, 4.0]), square) == pytest.approx(2.0)
    assert left_out(square) == pytest.approx([1.0] * 4)


def test_information_of_classes_that_are_apart_is_their_entropy() -> None:
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 60)
    x = random.normal(size=(240, 2))
    assert abs(nearest_neighbours(x, classes)) < 0.06
    assert nearest_neighbours(x + 100 * classes[:, None], classes) == pytest.approx(math.log(4), abs=0.05)
    assert math.isnan(nearest_neighbours(x, np.zeros(240)))


def test_probes_tell_what_is_there_in_nats() -> None:
    random = np.random.default_rng(0)
    lines = np.tile(np.array(["A", "B", "C"]), 60)
    x = random.normal(size=(180, 3))
    label = (x[:, 0] > 0).astype(int)
    assert 0.15 < of_label(x, label, lines) < math.log(2)
    assert abs(of_line(x, lines)) < 0.05
    assert of_line(x + 3 * (lines == "A")[:, None], lines) > 0.2
    assert math.isnan(of_label(x, label, np.repeat("A", 180)))


def test_an_answer_is_on_which_side_the_interval_lies() -> None:
    interval = t_interval([1.0, 1.2, 1.1, 0.9])
    assert (above(interval, 0.5), below(interval, 0.5)) == ("supported", "refuted")
    assert (above(interval, 2.0), below(interval, 2.0)) == ("refuted", "supported")
    assert above(interval, 1.1) == "undecided"
    assert above(t_interval([3.0]), 0.5) == "undecided"
    assert change_of(t_interval([3.0]), 0.5, "undecided") == "an interval, which takes at least 2 seeds"
    needed = seeds_apart(t_interval([1.0, 1.4, 0.8]), 0.9)
    assert needed is not None
    assert needed > 3
    assert f"about {needed} seeds" in change_of(t_interval([1.0, 1.4, 0.8]), 0.9, "undecided")


def test_a_claim_is_refuted_by_one_part_and_supported_by_all() -> None:
    part = {each: ClaimPart(each, each) for each in ("supported", "refuted", "undecided", "not evaluated")}
    for names, answer in (
        (("supported", "supported"), "supported"),
        (("supported", "refuted", "undecided"), "refuted"),
        (("supported", "not evaluated"), "undecided"),
        (("not evaluated",), "not evaluated"),
    ):
        assert Claim("key", "", tuple(part[name] for name in names)).answer == answer


@pytest.mark.parametrize("key", WORLDS)
def test_answers_are_right_where_the_truth_is_known(key: str) -> None:
    stores, seeds = (1, 3) if key in SLOW else (2, 4)
    judged = list(validities(stores, seeds, [key]))
    assert [each for each in judged if each.wrong] == []
    assert sum(each.right for each in judged) >= 0.8 * stores * len(judged)


def test_a_gate_names_the_cell_lines_that_it_opens() -> None:
    inputs = gate_world(True, 4, np.random.default_rng(3))
    (part,) = JUDGES["gate"](inputs).parts
    means = inputs.embeddings[inputs.embeddings["split"] != "train"].groupby("cell_line")["gate"].mean()
    assert {line.cell_line for line in part.lines if line.said == "open"} == set(means.index[means > 0.5])
    assert {line.cell_line for line in part.lines if line.said == "closed"} == set(means.index[means < 0.5])


def test_seeds_that_open_all_gates_or_none_open_no_cell_line() -> None:
    inputs = gate_world(False, 4, np.random.default_rng(5))
    level = inputs.embeddings["seed"].map({0: -0.45, 1: 0.45, 2: -0.45, 3: 0.45})
    inputs.embeddings["gate"] = 0.5 + level + 0.1 * (inputs.embeddings["gate"] - 0.5)
    assert JUDGES["gate"](inputs).answer == "refuted"


def test_z_e_that_is_one_value_has_nothing_to_depend_on() -> None:
    inputs = vector_world(True, 1, np.random.default_rng(0))
    inputs.embeddings["z_e"] = [[0.5, 0.25]] * len(inputs.embeddings)
    (part,) = mutual_information(inputs).parts
    assert part.answer == "not evaluated"
    assert "all one value" in part.missing
    z_e = np.array([[0.0, 1.0], [1e-6, 1.0], [1.0, 0.0]])
    assert list(values_of(z_e)) == [0, 0, 1]


def test_cell_lines_far_outside_are_unlikely_by_chance() -> None:
    rows = {true: features(features_world(true, 3, np.random.default_rng(0))) for true in (True, False)}
    assert {true: claim.answer for true, claim in rows.items()} == {True: "supported", False: "refuted"}
    far = features_world(False, 2, np.random.default_rng(1)).embeddings
    assert permutation_p(distances(far)) < 0.02


def test_a_constant_r_s_is_refuted_and_an_id_is_not_evaluated() -> None:
    inputs = environment_world(True, 3, np.random.default_rng(0))
    inputs.embeddings["r_student"] = 0.7
    assert [part.answer for part in environment(inputs).parts] == ["refuted", "refuted"]
    by_id = ClaimInputs(**{**vars(inputs), "settings": {"environment.source": "id"}})
    assert environment(by_id).answer == "not evaluated"


def test_a_correction_within_one_cell_line_is_not_evaluated() -> None:
    """No number of seeds could tell what R_E cannot do."""
    inputs = correction_world(True, 3, np.random.default_rng(0))
    line = inputs.cells["cell_line"][~inputs.cells["cell_line"].isin(["macro", "pooled"])].iloc[0]
    one = inputs.cells[inputs.cells["cell_line"].isin([line, "macro", "pooled"])]
    alone = replace(inputs, cells=one)
    assert correction(alone).answer == "not evaluated"
    assert correction(alone).parts[0].missing.startswith("a second unseen cell line")
    changing = replace(alone, units=inputs.units.assign(rank_invariant=False))
    for judged in (inputs, changing):
        assert correction(judged).answer == "supported"


def test_without_an_environment_only_the_potential_is_judged() -> None:
    world = vector_world(True, 1, np.random.default_rng(0))
    alone = ClaimInputs(**{**vars(world), "settings": {}, "vectors": world.vectors[:0]})
    assert {claim.key for claim in judge(alone) if claim.answer != "not evaluated"} == set()
    assert {part.missing for claim in judge(alone)[:4] for part in claim.parts} == {
        "an environment (environment.source is none)"
    }


@pytest.fixture(scope="module")
def stored(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted run whose configuration bbb222 has the embeddings and z_I of simulated units as well."""
    run = shutil.copytree(planted, tmp_path_factory.mktemp("claims") / "run")
    world = vector_world(False, 3, np.random.default_rng(0))
    gates = gate_world(True, 3, np.random.default_rng(0))
    for seed in range(3):
        key = {"config": "bbb222", "fold": "chr8", "seed": seed}
        for name, frame in (("pair_vectors", world.vectors), ("embeddings", gates.embeddings)):
            rows: list[dict[str, Any]] = [
                {str(column): value for column, value in row.items()}
                for row in frame[frame["seed"] == seed].to_dict("records")
            ]
            if name == "embeddings":
                z_e = world.embeddings[world.embeddings["seed"] == seed].set_index("cell_line")["z_e"]
                rows = [{**row, "z_e": list(z_e[row["cell_line"]]), "place": None} for row in rows]
            write(run, name, f"bbb222-chr8-{seed}.parquet", [{**row, **key} for row in rows])
    return run


def test_a_stored_run_says_what_its_tables_hold(stored: Path) -> None:
    run = Run.open(stored)
    frame = configuration_claims(run, judged_configuration(run, "bbb")).frame()
    assert tuple(frame.columns) == COLUMNS
    answers = frame.set_index("part")["part_answer"]
    assert (answers["bimodal"], answers["near 0"]) == ("supported", "refuted")
    assert answers["loses the cell line"] in ("refuted", "undecided")
    assert answers["differs"] == "not evaluated"
    assert frame["missing"].ne("").equals(frame["part_answer"].eq("not evaluated"))


def test_a_run_without_z_i_says_what_is_missing(run_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", str(run_path)]) == 0
    printed = capsys.readouterr().out
    assert "near 0: not evaluated: the table pair_vectors" in printed
    assert "would change it: " in printed


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "claims takes either a RUN"),
        (["--validate", "--config", "a"], "claims takes either a RUN"),
        (["RUN", "--replicates", "3"], "--replicates is of --validate"),
        (["--validate", "--replicates", "0"], "at least 1"),
        (["RUN", "--config", "zzz"], "has no configuration 'zzz'"),
    ],
)
def test_mistakes_are_one_sentence(argv: list[str], sentence: str, run_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        main(["claims", *(str(run_path) if word == "RUN" else word for word in argv)])
