"""Editing a search's space and going on: the study holds what the present space can draw, with what it reached."""

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.store.writer import RunWriter
from harness.sweep.search.past import past
from harness.sweep.search.study import Study, study_file
from tests.narrow import present

YAML = """
name: small
base: minimal
data: {{synthetic: {{form: gated}}}}
trial: {{epochs: 3, seeds: 2}}
space:
  {space}
sampler: {{kind: tpe, startup: 2, seed: 3}}
objective: {objective}
trials: 9
"""
AUPR = "val_unseen/macro/aupr"
FIRST = "optimiser.lr: {loguniform: [0.0001, 0.01]}\n  energy.form: {choice: [linear, interaction]}"
LRS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.009)
Make = Callable[..., Sweep]
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def sweep(space: str = FIRST, objective: str = AUPR) -> Sweep:
        file = tmp_path / "small.yaml"
        file.write_text(YAML.format(space=space, objective=objective))
        return load_sweep(file)

    return sweep


def _ran(run: Path, sweep: Sweep) -> Plan:
    """A run with a configuration per learning rate, half of them linear, the larger the better; both seeds done."""
    plan = Plan.of(sweep, folds=[FOLD], data="d" * 64)
    for number, lr in enumerate(LRS):
        changes = {"optimiser.lr": lr, "energy.form": ("linear", "interaction")[number % 2]}
        plan = plan.add(sweep.resolved(changes, gpu=False), changes)
    plan.save(run)
    for number, config in enumerate(plan.configs):
        for unit in plan.units_of(config):
            _record(run, unit, 0.3 + 0.1 * number + 0.02 * unit.seed)
    return plan


def _record(run: Path, unit: Any, value: float, status: str = "done", objective: str = AUPR) -> None:
    own = {"config": unit.config_id, "fold": unit.fold, "seed": unit.seed}
    trial = {**own, "status": status, "objective": objective, "objective_value": value}
    RunWriter(run).write("units", unit.name, [trial])
    cell = {**own, "selection": "epoch", "split": "val_unseen", "cell_line": "macro", "score": "corrected"}
    cell |= {"prevalence_mode": "as_found", "protocol": "exact"}
    curve = ((1, value - 0.1), (2, value), (3, value - 0.05))
    RunWriter(run).write("cells", unit.name, [{**cell, "epoch": e, "aupr": v} for e, v in curve])


def _open(run: Path, sweep: Sweep, plan: Plan, pending: tuple[str, ...] = ()) -> Study:
    known, _ = past(sweep, plan, run, folds=[FOLD.id], pending=pending, gpu=False)
    return Study(
        study_file(run, sweep.space, sweep.config.objective),
        name="small",
        objective=sweep.config.objective,
        sampler=sweep.config.sampler,
        space=sweep.space,
        past=known,
    )


def _proposed(study: Study) -> list[float]:
    """Learning rates that it would try next."""
    draws = []
    for _ in range(40):
        draws.append(study.ask())
        study.refuse(draws[-1])
    return [draw.changes["optimiser.lr"] for draw in draws]


def _values(study: Study) -> dict[str, float]:
    return {
        t.user_attrs["config"]: present(t.value) for t in study.study.trials if t.state is TrialState.COMPLETE
    }


@pytest.mark.parametrize(
    ("space", "fit"),
    [
        (FIRST, 6),
        (FIRST.replace("interaction]", "interaction, gated]"), 6),
        (FIRST.replace("[linear, interaction]", "[linear]"), 3),
        (FIRST.replace("loguniform", "uniform"), 6),
        (FIRST.replace("0.01]", "0.001]"), 3),
        (FIRST.replace("{loguniform: [0.0001, 0.01]}", "{choice: [0.001, 0.009, 1]}"), 2),
        (FIRST.replace("{loguniform: [0.0001, 0.01]}", "{grid: [0.001, 0.002]}"), 2),
        (FIRST.splitlines()[0], 3),
        (FIRST + "\n  episode.query: {choice: [8, 64]}", 6),
        (FIRST + "\n  episode.query: {int: [8, 70]}", 6),
        (FIRST + "\n  episode.query: {choice: [8, 16]}", 0),
        (
            FIRST.replace("0.01]}", "0.01], when: {energy.form: linear}}"),
            3,
        ),
        ("both: {choice: {a: {optimiser.lr: 0.001}, b: {optimiser.lr: 0.009, energy.form: interaction}}}", 2),
    ],
)
def test_an_edited_space_goes_on_with_the_results_that_fit_it(
    make: Make, tmp_path: Path, space: str, fit: int
) -> None:
    """A wider or narrower choice or range, another distribution, a new or a removed path, another condition."""
    first = make()
    plan = _ran(tmp_path, first)
    before = _open(tmp_path, first, plan)
    edited = make(space)
    study = _open(tmp_path, edited, plan)
    assert len(study.numbers) == fit
    assert {c: v for c, v in _values(before).items() if c in study.numbers} == _values(study)
    for number in range(4):
        study.accept(study.ask(), f"c{number}")
        study.tell(f"c{number}", "done", 0.5)
    assert len(_values(study)) == fit + 4


def test_values_and_learning_curves_come_from_the_store(make: Make, tmp_path: Path) -> None:
    sweep = make()
    plan = _ran(tmp_path, sweep)
    study = _open(tmp_path, sweep, plan)
    assert list(study.numbers) == list(plan.configs)
    assert list(_values(study).values()) == pytest.approx([0.31 + 0.1 * n for n in range(6)])
    best_so_far = [(1, 0.21), (2, 0.31), (3, 0.31)]
    curve = study.study.trials[0].intermediate_values
    assert list(curve) == [1, 2, 3]
    assert list(curve.values()) == pytest.approx([value for _, value in best_so_far])
    assert [trial.params["optimiser.lr"] for trial in study.study.trials] == list(LRS)


def test_tpe_learns_from_what_an_edited_space_kept(make: Make, tmp_path: Path) -> None:
    """The larger the better: an informed sampler proposes larger ones than the range alone would."""
    plan = _ran(tmp_path, make())
    wider = make(FIRST.replace("interaction]", "interaction, gated]"))
    study = _open(tmp_path, wider, plan)
    informed = _proposed(study)
    blind = Study(
        tmp_path / "blind.log",
        name="blind",
        objective=wider.config.objective,
        sampler=wider.config.sampler,
        space=wider.space,
    )
    assert statistics.median(informed) > 2 * statistics.median(_proposed(blind))


@pytest.mark.parametrize("harm", ["lost", "empty", "torn", "noise", "text", "half", "other"])
def test_harmed_study_proposes_what_the_whole_one_would(make: Make, tmp_path: Path, harm: str) -> None:
    sweep = make()
    plan = _ran(tmp_path, sweep)
    pending = (list(plan.configs)[-1],)
    _open(tmp_path, sweep, plan, pending)
    file = study_file(tmp_path, sweep.space, AUPR)
    whole = file.read_bytes()
    expected = [_open(tmp_path, sweep, plan, pending).ask().changes for _ in range(2)]
    assert expected[0] == expected[1], "to look is to change nothing"
    lines = whole.splitlines(keepends=True)
    content = {
        "lost": None,
        "empty": b"",
        "torn": whole[:-20],
        "noise": bytes(range(256)) * 40,
        "text": b"this is no journal\n" + whole,
        "half": b"".join(lines[: len(lines) // 2]),
        "other": whole.replace(next(iter(plan.configs)).encode(), b"0" * 12),
    }[harm]
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    again = _open(tmp_path, sweep, plan, pending)
    assert list(again.numbers) == list(plan.configs)
    assert len(_values(again)) == 5
    assert again.ask().changes == expected[0]


def test_configuration_that_ended_unseen_is_known_to_a_restart(make: Make, tmp_path: Path) -> None:
    """The driver was killed between the worker's last word and its own."""
    sweep = make()
    plan = _ran(tmp_path, sweep)
    last = list(plan.configs)[-1]
    assert len(_values(_open(tmp_path, sweep, plan, (last,)))) == 5
    assert _values(_open(tmp_path, sweep, plan))[last] == pytest.approx(0.81)


def test_another_objective_has_a_study_of_its_own(make: Make, tmp_path: Path) -> None:
    first = make()
    plan = _ran(tmp_path, first)
    _open(tmp_path, first, plan)
    other = make(objective="val_unseen/macro/nll")
    study = _open(tmp_path, other, plan)
    assert not study.numbers
    assert study.study.direction.name == "MINIMIZE"
    assert _values(_open(tmp_path, first, plan))


def test_statuses_and_a_status_of_one_seed(make: Make, tmp_path: Path) -> None:
    sweep = make()
    plan = _ran(tmp_path, sweep)
    for config, status in zip(plan.configs, ("pruned", "diverged", "failed", "stopped"), strict=False):
        _record(tmp_path, plan.units_of(config)[1], math.nan if status == "diverged" else 0.4, status)
    states = [trial.state.name for trial in _open(tmp_path, sweep, plan).study.trials]
    assert states == ["PRUNED", "PRUNED", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]


def test_an_old_journal_beside_the_studies_does_no_harm(make: Make, tmp_path: Path) -> None:
    sweep = make()
    plan = _ran(tmp_path, sweep)
    (tmp_path / "optuna.log").write_bytes(b"\x00 no journal at all")
    assert len(_open(tmp_path, sweep, plan).numbers) == 6
