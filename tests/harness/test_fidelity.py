"""`fidelity`: what a cached space may vary, what a screen holds, promotes and is judged by, and that nothing is mixed."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from rich.console import Console
from scipy.stats import spearmanr

from analysis.errors import UserError
from analysis.fidelity.record import FEWEST, SCREEN, read_fidelity, read_trust
from analysis.fidelity.view import design_of
from analysis.next_step import next_step
from analysis.paper.methods import methods
from analysis.ranking import rank
from analysis.store import Run
from harness.config.space.frozen import FrozenComposer, frozen_keys
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import make_folds
from harness.data.frozen import FrozenDataset, FrozenFeatures
from harness.data.store import open_dataset
from harness.design.plan import Plan
from harness.runs.combining import combine
from harness.store.writer import RunWriter
from harness.sweep import at_fidelity, screening, trusting
from harness.sweep.at_fidelity import run_at_fidelity, screens
from harness.sweep.cluster.packing import Packing
from harness.sweep.options import Options, parse
from harness.sweep.screening import Cached, Promoting, Screen, key_of, promoted_names
from harness.sweep.sides import SideTask
from harness.sweep.task import Task
from harness.sweep.worker import TrialWorker, Work
from harness.trained.features import features_of
from harness.trial.unit_run import UnitRun
from tests.harness.small_sweeps import SETTINGS
from tests.narrow import present

CPU = torch.device("cpu")

HEAD = f"""
name: screened
base: minimal
data: {{synthetic: {{form: gated, cell_lines: 6, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}}}
trial: {{epochs: 2, seeds: 1}}
objective: val_unseen/pooled/aupr
scheduler: {{kind: none}}
sampler: {{kind: random}}
{SETTINGS}  loss.sparsity.z_i: 0.01
"""
SPACE = """space:
  energy.form: {choice: [linear, gated]}
  optimiser.lr: {loguniform: [0.001, 0.03]}
"""
OF_SEQUENCE = """  model.dropout: {uniform: [0.0, 0.5]}
  loss.sparsity.groups: {loguniform: [0.01, 1.0], when: {energy.form: gated}}
"""
SCREENS = f"{HEAD}fidelity: {{screen: 3, promote: 2}}\n{SPACE}"
CACHED = f"{HEAD}fidelity: cached\n{SPACE}"
WAY = "  way: {choice: {a: {model.dropout: 0.1}, b: {}}}\n"
"""A named choice, of which one option reaches the sequence side."""
HANGS = "  support.size: {choice: [3, 4], when: {model.encoder: ENCODER}}\n"
NOTHING_ELSE = r"yaml:\d+: fidelity: cached trains nothing of the sequence side, and model\.dropout"
PROMOTES = f"{HEAD}fidelity: {{screen: 3, promote: 2}}\n{SPACE}{OF_SEQUENCE}"


def options(folder: Path, yaml: str, *more: str) -> Options:
    file = folder / "screened.yaml"
    file.write_text(yaml)
    return parse([str(file), "--out", str(folder / "run"), "--cache", str(folder / "cache"), *more])


def load(folder: Path, yaml: str, **kinds: Any) -> Sweep:
    file = folder / "screened.yaml"
    file.write_text(yaml)
    return load_sweep(file, **kinds)


@pytest.mark.parametrize(
    ("yaml", "why"),
    [
        (f"{HEAD}fidelity: cached\n{SPACE}{OF_SEQUENCE}", NOTHING_ELSE),
        (f"{HEAD}fidelity: cachd\n{SPACE}", "expected one of full, cached; did you mean 'cached'"),
        (f"{HEAD}fidelity: {{screen: 3, promote: 3}}\n{SPACE}", "expected fewer to promote than to screen"),
        (f"{HEAD}fidelity: {{screen: 3}}\n{SPACE}", "'fidelity.promote' is needed"),
        (f"{HEAD}fidelity: {{sceen: 3, promote: 2}}\n{SPACE}", "'sceen' is not a key of 'fidelity' .* mean 'screen'"),
        (f"{HEAD}fidelity: {{screen: 3, promote: 2}}\ntrials: 4\n{SPACE}", "fidelity.screen says: leave it out"),
        (f"{SCREENS}design: grid\n".replace("loguniform: [0.001, 0.03]", "grid: [0.1]"), "expected design: search"),
        (f"{HEAD}fidelity: {{screen: 3, promote: 2}}\nspace:\n{OF_SEQUENCE}", "nothing is left to screen, since all that"),
        (f"{HEAD}fidelity: cached\ndesign: leave_one_out\n", "expected design: search or grid"),
        (f"{HEAD}  frozen: abc\n{SPACE}", "set by fidelity: cached of the sweep, and by nobody else"),
        (f"{HEAD}{SPACE}  frozen: {{choice: [a, b]}}\n", "set by fidelity: cached of the sweep, and by nobody else"),
        (f"{HEAD}  decouple.dual_stream: true\n  environment.width: 4\nfidelity: cached\n{SPACE}", "z_E live in its space"),
        (
            f"{SCREENS}{WAY}",
            "give model.dropout an entry of its own",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_screened_is_one_sentence(tmp_path: Path, yaml: str, why: str) -> None:
    searched = "design:" not in yaml
    with pytest.raises(UserError, match=why):
        load(tmp_path, yaml if searched else yaml.replace("sampler: {kind: random}\n", ""))


def test_keys_of_the_sequence_side_are_those_that_reach_it_alone() -> None:
    keys = frozen_keys()
    assert {
        "model.kernel",
        "model.encoder",
        "decouple.grl",
        "decouple.vib",
        "loss.sparsity.z_i",
        "decouple.reach",
    } <= keys
    behind = {
        "decouple.irm",
        "decouple.pearson",
        "loss.calibration.weight",
        "loss.ranking.weight",
        "loss.task",
        "energy.form",
    }
    assert not keys & behind


def test_a_cached_configuration_is_another_one(tmp_path: Path) -> None:
    sweep = load(tmp_path, CACHED)
    full = load(tmp_path, f"{HEAD}{SPACE}")
    one, other = (each.resolved({"energy.form": "gated"}, gpu=False) for each in (sweep, full))
    assert one.id != other.id
    assert one.frozen == full.resolved({}, gpu=False).id
    assert (one.loss.sparsity.z_i, other.loss.sparsity.z_i) == (0.0, 0.01), (
        "what moved the side alone is off behind it"
    )
    assert "frozen" not in other.identity()
    wider = load(tmp_path, CACHED.replace("z_i: 0.01", "z_i: 0.02"))
    assert wider.resolved({"energy.form": "gated"}, gpu=False).id != one.id, "behind another side"


def test_a_screen_holds_what_reaches_the_side_alone(tmp_path: Path) -> None:
    given = options(tmp_path, PROMOTES)
    screen = Screen(replace(given, out=tmp_path / "run" / SCREEN), Task(given).load())
    sweep = screen.load()
    assert screen.held == ("model.dropout", "loss.sparsity.groups")
    assert list(sweep.space.entries) == ["energy.form", "optimiser.lr"]
    assert (sweep.trials, sweep.config.fidelity) == (3, "cached")
    assert screen.sides == tmp_path / "run" / SCREEN / "sequence"


def test_entries_that_hang_on_a_held_one_follow_the_base(tmp_path: Path) -> None:
    varied = "  model.encoder: {choice: [cnn, cross_attention]}\n"
    for encoder, kept in (("cnn", True), ("cross_attention", False)):
        yaml = f"{CACHED}{varied}{HANGS.replace('ENCODER', encoder)}"
        assert ("support.size" in load(tmp_path, yaml, holds=True).space.entries) is kept


def test_nobody_sets_a_held_key_behind_the_side(tmp_path: Path) -> None:
    sweep = load(tmp_path, CACHED)
    composer = sweep.basis.composer
    assert isinstance(composer, FrozenComposer)
    assert composer.resting == {"loss.sparsity.z_i": 0.0}
    with pytest.raises(UserError, match=r"holds model\.kernel at 5"):
        composer({"model.kernel": 7})
    assert composer({"model.kernel": 5}).id == composer({}).id


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--budget", "1h"), "--budget: it plans the seeds of contrasts"),
        (("--confirm",), "what was chosen on cached features is not confirmed"),
        (("--trials", "4"), "fidelity.screen says how many"),
        (("--trust", "--set", "fidelity=full"), "there is no screen to judge"),
        (
            ("--trust", "--set", "fidelity=cached", "--trials", "4"),
            f"--trust compares {FEWEST} configurations",
        ),
    ],
)
def test_options_without_a_meaning_are_refused(tmp_path: Path, more: tuple[str, ...], why: str) -> None:
    yaml = SCREENS
    with pytest.raises(UserError, match=why):
        run_at_fidelity(options(tmp_path, yaml, *more), Console(file=io.StringIO()))


def test_only_sweeps_that_ask_are_screened(tmp_path: Path) -> None:
    assert not screens(options(tmp_path, f"{HEAD}{SPACE}"))
    assert screens(options(tmp_path, f"{HEAD}{SPACE}", "--trust"))
    assert screens(options(tmp_path, f"{HEAD}{SPACE}", "--set", "fidelity=cached"))
    assert screens(options(tmp_path, PROMOTES))


def without_ray(asked: Options, console: Console, task: Task | None = None) -> int:
    """A start of the driver, with its units trained one after the other in this process and a search drawn at once."""
    task = task or Task(asked)
    sweep = task.load()
    run, data = task.folder(sweep), sweep.config.data
    dataset = open_dataset(data, enhancer_bp=80, promoter_bp=80, cache=asked.cache, progress=False)
    (fold,) = make_folds(dataset, data)
    plan = Plan.of(sweep, folds=[fold], data=dataset.hash)
    if sweep.config.of_design.searched:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(sweep.config.sampler.seed))
        for _ in range(sweep.trials):
            changes = sweep.space.sample(study.ask())
            plan = plan.add(sweep.resolved(changes, gpu=False), changes)
    task.begin(sweep, plan)
    replace(plan, status="finished").save(run)
    for name in plan.units():
        planned, shown = plan.configs[name.config_id], dataset
        if planned.config.frozen:
            features = features_of(present(task.sides), planned.config.frozen, fold, name.seed, dataset, CPU)
            shown = FrozenDataset(dataset, features)
        unit = UnitRun(
            planned.config,
            shown,
            fold,
            name.seed,
            RunWriter(run),
            changes=dict(planned.changes),
            objective=sweep.config.objective,
        )
        while not unit.finished:
            unit.advance()
    return 0


@pytest.fixture
def undriven(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (screening, trusting, at_fidelity):
        monkeypatch.setattr(module, "run_sweep", without_ray)


@pytest.mark.usefixtures("undriven")
def test_the_best_of_a_screen_are_trained_in_full(tmp_path: Path) -> None:
    asked = options(tmp_path, PROMOTES)
    assert run_at_fidelity(asked, Console(file=io.StringIO())) == 0
    run = tmp_path / "run"
    sides, screen, whole = (Run(folder) for folder in (run / SCREEN / "sequence", run / SCREEN, run))
    (side,) = sides.table("units")["config"]
    cached, full = screen.table("units"), whole.table("units")
    assert (len(cached), len(full)) == (3, 2)
    assert cached["features"].nunique() == 1
    assert full["features"].isna().all()
    assert not set(cached["config"]) & set(full["config"])
    assert {json.loads(text)["frozen"] for text in cached["config_json"]} == {side}
    assert {json.loads(text)["loss"]["sparsity"]["z_i"] for text in full["config_json"]} == {0.01}
    best = cached.nlargest(2, "objective_value")["changes_json"]
    assert set(full["changes_json"]) == set(best), "promoted as they were drawn"
    record = present(read_fidelity(whole))
    assert (record.promoted, record.of, record.not_screened) == (
        2,
        3,
        ("model.dropout", "loss.sparsity.groups"),
    )
    assert "[cached]" not in str(Plan.load(run))
    assert next_step(rank(screen)).startswith(
        f"python -m analysis {run}: the best of these, which are trained"
    )
    assert "into a sweep of its own (fidelity: full)" in next_step(rank(whole))
    with pytest.raises(UserError, match=r"in full, and .* on cached features: such results are not mixed"):
        combine([run / SCREEN, run], tmp_path / "both", reuse_older_code=False)
    promoting = Promoting(asked, run, Task(asked).load())
    assert promoting.designed(promoting.load()) == "search: the best 2 of 3 that were screened"
    assert design_of(whole) == design_of(screen) == "search", "although what is promoted runs as a grid"
    assert "2 configurations (search, the best of 3 that were screened" in methods(rank(whole))
    for part, done, trials in ((run / SCREEN / "sequence", 1, 1), (run / SCREEN, 3, 5), (run, 2, 2)):
        plan = present(Plan.load(part))
        replace(plan, status="interrupted", trials=trials).save(part)
        for more in ((), ("--dry-run",)):
            told = io.StringIO()
            why = rf"{part} holds an interrupted run \({done} of {trials} units finished\); add --resume"
            with pytest.raises(UserError, match=why):
                run_at_fidelity(options(tmp_path, PROMOTES, *more), Console(file=told))
            assert told.getvalue() == "", "at once"
        plan.save(part)


@pytest.mark.usefixtures("undriven")
def test_configurations_of_one_rounded_name_are_all_promoted(tmp_path: Path) -> None:
    """Two values that a label rounds to one were one entry, and the sweep promoted fewer than it was asked to."""
    assert promoted_names(["a [cached]", "b [cached]", "a [cached]"], ["11", "22", "33"]) == [
        "a (11)",
        "b",
        "a (33)",
    ]
    near = (
        f"{HEAD}fidelity: {{screen: 3, promote: 2}}\nspace: {{optimiser.lr: {{uniform: [0.01, 0.010001]}}}}\n"
    )
    asked = options(tmp_path, near)
    assert run_at_fidelity(asked, Console(file=io.StringIO())) == 0
    screened, whole = Run(tmp_path / "run" / SCREEN), Run(tmp_path / "run")
    assert rank(screened).configurations["label"].nunique() < screened.table("units")["config"].nunique()
    promoted = present(read_fidelity(whole)).promoted
    assert promoted == whole.table("units")["config"].nunique() == 2


@pytest.mark.usefixtures("undriven")
def test_a_screen_that_promotes_nothing_yet_is_told_to(tmp_path: Path) -> None:
    asked = options(tmp_path, CACHED.replace("cached", "cached\ntrials: 2"))
    assert run_at_fidelity(asked, Console(file=io.StringIO())) == 0
    assert "train the best of these in full" in next_step(rank(Run(tmp_path / "run")))


@pytest.mark.usefixtures("undriven")
def test_a_screen_is_judged_by_full_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusting, "FEWEST", 3)
    said = io.StringIO()
    asked = options(tmp_path, CACHED, "--trust")
    assert run_at_fidelity(asked, Console(file=said, width=300)) == 0
    run = tmp_path / "run"
    trust = present(read_trust(Run(run)))
    tables = [Run(run / "trust" / name).table("units") for name in ("cached", "full", "again")]
    assert [len(table) for table in tables] == [3, 3, 3]
    assert [set(table["seed"]) for table in tables] == [{0}, {0}, {1}]
    by = [dict(zip(table["changes_json"], table["objective_value"], strict=True)) for table in tables]
    assert by[0].keys() == by[1].keys() == by[2].keys()
    values = [[each[changes] for changes in by[0]] for each in by]
    assert trust.screened.rho == pytest.approx(spearmanr(values[0], values[1]).statistic)
    assert trust.ceiling.rho == pytest.approx(spearmanr(values[2], values[1]).statistic)
    assert (trust.best, trust.screened.count) == (1, 3)
    assert "screen not trusted: 3 configurations were compared, 24 are needed" in said.getvalue()
    sweep = Cached(replace(asked, trust=False)).load()
    plan = present(Plan.load(run / "trust" / "cached"))
    side = present(Plan.load(run / "sequence")).asked[0]
    assert trust.key == key_of(sweep, plan, side), "the screen itself has the key that it was judged under"
    for other in (replace(plan, data="x"), replace(plan, seeds=(7,))):
        assert key_of(sweep, other, side) != trust.key
    wider = load(tmp_path, CACHED.replace("0.03]", "0.04]"))
    assert key_of(wider, plan, side) != trust.key
    assert trust.key != key_of(sweep, plan, "another side")


def test_a_small_space_cannot_be_judged(tmp_path: Path) -> None:
    asked = options(
        tmp_path, f"{HEAD}fidelity: cached\nspace:\n  energy.form: {{choice: [linear, gated]}}\n", "--trust"
    )
    with pytest.raises(UserError, match="holds 2 configurations at most, and a screen is judged by 24"):
        run_at_fidelity(asked, Console(file=io.StringIO()))


def test_the_sides_are_the_base_in_full(tmp_path: Path) -> None:
    cached = Cached(options(tmp_path, CACHED))
    sides = SideTask(cached, cached.sides)
    sweep = sides.load()
    assert (sweep.config.fidelity, sweep.config.design.kind, list(sweep.space.entries)) == (
        "full",
        "grid",
        [],
    )
    (arm,) = sweep.arms()
    assert sweep.resolved(arm.changes, gpu=False).id == cached.load().trial.frozen
    assert sides.folder(sweep) == cached.sides == tmp_path / "run" / "sequence"


def test_a_worker_shows_features_where_the_side_is_frozen(tmp_path: Path) -> None:
    asked = options(tmp_path, CACHED)
    cached = Cached(asked)
    without_ray(asked, Console(file=io.StringIO()), SideTask(cached, cached.sides))
    sweep = cached.load()
    dataset = open_dataset(
        sweep.config.data, enhancer_bp=80, promoter_bp=80, cache=asked.cache, progress=False
    )
    (fold,) = make_folds(dataset, sweep.config.data)
    config = sweep.resolved({"energy.form": "gated"}, gpu=False)
    work = Work(tmp_path / "run", (fold,), sweep.config.objective, (), "cpu", 1, sides=cached.sides)
    worker: TrialWorker = object.__new__(TrialWorker)
    assignment = {
        "name": "one",
        "configuration": config.id,
        "fold": fold.id,
        "seeds": [0],
        "config": Packing().pack(config),
    }
    worker.setup(
        {**assignment, "changes": {}, "finished": {}, "shares": False, "dataset": str(dataset.path)},
        work=work,
    )
    report = worker.step()
    assert (report["status"], report["reason"]) == ("running", "")
    (unit,) = present(worker.unit_runs)
    assert unit.row["features"] == FrozenFeatures.open(next((cached.sides / "features").glob("*-0"))).digest
    worker.cleanup()
