"""The study of every design, opened as optuna-dashboard opens it: each configuration with what it is and reached."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from analysis.schema import STUDIES
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan, Unit, by_trial
from harness.store.writer import RunWriter
from harness.sweep.run.stored import stored_units
from harness.sweep.search.curves import Curves
from harness.sweep.search.past import past
from harness.sweep.search.proposer import Proposer
from harness.sweep.search.study import Study, study_file
from harness.sweep.show.board import Board

SEARCH_SPACES = Path(__file__).parents[2] / "search_spaces"
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))
SAMPLER = "name: s\nbase: minimal\ndata: {synthetic: {}}\ntrials: 5\nspace: {optimiser.lr: {uniform: [0.001, 0.01]}}\n"
LEVELS = {"taken": 1, "left": -1, "+": 1, "-": -1}


def started(sweep: Sweep, run: Path, plan: Plan) -> Proposer:
    """A start of a sweep on `plan`, with none of its units run."""
    objective, beside = sweep.config.objective, sweep.config.sampler.beside
    stored = stored_units(run)
    pending = by_trial(unit for unit in plan.units() if unit not in stored)
    configurations = {trial.config_id for trial in pending}
    known, _ = past(sweep, plan, run, folds=[FOLD.id], pending=configurations, gpu=False)
    study = Study(
        study_file(run, sweep.studied, objective, beside),
        name=sweep.config.name,
        objective=objective,
        sampler=sweep.config.sampler,
        space=sweep.studied,
        past=known,
    )
    return Proposer(
        sweep,
        plan,
        study,
        Board(total=9, larger_is_better=True, folds={FOLD.id: FOLD.name}),
        run=run,
        pending=pending,
        reached={},
        curves=Curves({}),
        new=sweep.config.of_design.missing(sweep.trials, plan.configs),
        gpu=False,
        view=lambda config: run,
        phase1=lambda config: None,
        give_up=lambda units: None,
        ended=lambda units: None,
    )


def record(run: Path, unit: Unit, value: float, objectives: Sequence[str]) -> None:
    """A unit that is done, with the cells that a second objective is read from."""
    key = {"config": unit.config_id, "fold": unit.fold, "seed": unit.seed}
    row = {**key, "status": "done", "objective": objectives[0], "objective_value": value}
    RunWriter(run).write("units", unit.name, [row])
    cell = {
        **key,
        "selection": "best_on_validation",
        "split": "val_unseen",
        "cell_line": "pooled",
        "epoch": 1,
    }
    cell |= {"score": "corrected", "prevalence_mode": "as_found", "protocol": "exact", "nll": 1 - value}
    RunWriter(run).write("cells", unit.name, [cell])


def ran(sweep: Sweep, run: Path) -> Mapping[str, float]:
    """Configuration -> what it reached, of a sweep whose trials say a number each."""
    plan = Plan.of(sweep, folds=[FOLD], data="d" * 64)
    plan.save(run)
    proposer, values = started(sweep, run, plan), {}
    objectives = [sweep.config.objective, *sweep.config.sampler.beside]
    for number in range(200):
        trial = proposer.suggest(str(number))
        if trial is None or isinstance(trial, str):
            break
        config = trial["configuration"]
        value = values[config] = 0.4 + (int(config, 16) % 1000) / 2500
        for seed in trial["seeds"]:
            record(run, Unit(config, FOLD.id, seed), value, objectives)
        result = {"status": "done", "objective": value, "ended": []}
        proposer.on_trial_complete(str(number), result)
    assert not proposer.pending
    proposer.plan.save(run)
    return values


def opened(run: Path) -> tuple[optuna.Study, list[FrozenTrial]]:
    """The one study of a run, and its trials that are configurations."""
    (file,) = (run / STUDIES).glob("*.log")
    storage = JournalStorage(JournalFileBackend(str(file)))
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    return study, [trial for trial in study.get_trials() if "config" in trial.user_attrs]


def sweep_of(name: str, folder: Path) -> Sweep:
    if (SEARCH_SPACES / f"{name}.yaml").exists():
        return load_sweep(SEARCH_SPACES / f"{name}.yaml", overrides=["trial.seeds=2"])
    (folder / "s.yaml").write_text(f"{SAMPLER}sampler: {{kind: {name}}}\n")
    return load_sweep(folder / "s.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "leave_one_out", "add_one_in", "factorial", "path", "truth_gated", "search_pareto", "tpe", "random", "qmc",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_study_has_every_configuration_of_its_design(name: str, tmp_path: Path) -> None:
    sweep = sweep_of(name, tmp_path)
    values = ran(sweep, tmp_path / "run")
    study, trials = opened(tmp_path / "run")
    assert len(values) > 1
    assert {trial.user_attrs["config"]: trial.values[0] for trial in trials} == pytest.approx(values)
    assert len(trials) == len(values)
    assert all(trial.state is TrialState.COMPLETE and trial.params for trial in trials)
    assert study.metric_names == [sweep.config.objective, *sweep.config.sampler.beside]
    assert len({tuple(sorted(trial.params.items())) for trial in trials}) == len(trials)
    assert study.best_trials, "what a dashboard asks for"


@pytest.mark.parametrize("name", ["path", "factorial"])
def test_a_study_says_the_levels_of_each_configuration(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ran(sweep_of(name, tmp_path), run)
    _, trials = opened(run)
    plan = Plan.load(run)
    assert plan is not None
    assert len(trials) == len(plan.configs)
    for trial in trials:
        levels = plan.configs[trial.user_attrs["config"]].levels
        assert {factor: LEVELS[way] for factor, way in trial.params.items()} == dict(levels)


@pytest.mark.parametrize("name", ["path", "factorial"])
def test_a_lost_study_of_levels_is_made_again(name: str, tmp_path: Path) -> None:
    sweep = sweep_of(name, tmp_path)
    run = tmp_path / "run"
    ran(sweep, run)
    _, before = opened(run)
    (file,) = (run / STUDIES).glob("*.log")
    file.unlink()
    plan = Plan.load(run)
    assert plan is not None
    started(sweep, run, plan)
    _, after = opened(run)
    assert [(trial.params, trial.values) for trial in after] == [
        (trial.params, trial.values) for trial in before
    ]
