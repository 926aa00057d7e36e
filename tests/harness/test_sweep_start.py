"""What a start of a sweep finds to do in its run folder: nothing twice, nothing lost, nothing without being asked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.store import Run
from analysis.unit_log import log_file, rows_frame
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan, Status, Unit
from harness.stamp.stamp import Stamp
from harness.store.log_writer import LogWriter
from harness.store.writer import RunWriter
from harness.sweep.driver import with_trials
from harness.sweep.report import continuing
from harness.sweep.run.statuses import ENDED
from harness.sweep.run.stored import stored_units
from harness.sweep.run.unrun import Unrun
from harness.sweep.run.verdict import Verdict
from harness.sweep.start import Start, forget, prepare

YAML = """
name: small
base: minimal
data: {{synthetic: {{form: gated}}}}
trial: {{epochs: 3, seeds: {seeds}}}
space:
  episode.query: {{choice: {query}}}
trials: {trials}
"""
FOLD = Fold("fold0", ("NHEK",), ("K562",), ("chr2",))
STAMP = Stamp(
    data="d" * 64,
    objective="val_unseen/macro/aupr",
    scheduler='{"grace": 2, "kind": "asha", "reduction": 3.0}',
)
Make = Callable[..., Sweep]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def sweep(
        *, trials: int = 2, seeds: str = "2", query: str = "[8, 16, 32]", sets: tuple[str, ...] = ()
    ) -> Sweep:
        file = tmp_path / "small.yaml"
        file.write_text(YAML.format(trials=trials, seeds=seeds, query=query))
        return load_sweep(file, overrides=sets)

    return sweep


def _fresh(sweep: Sweep, data: str = "d" * 64) -> Plan:
    return Plan.of(sweep, folds=[FOLD], data=data)


def _ran(run: Path, sweep: Sweep, *sizes: int, status: Status = "finished", ended: str = "done") -> Plan:
    """A run that holds a configuration per query size, each unit with the status `ended`."""
    plan = _fresh(sweep)
    for size in sizes:
        changes = {"episode.query": size}
        plan = plan.add(sweep.resolved(changes, gpu=False), changes)
    replace(plan, status=status).save(run)
    for unit in plan.units():
        _record(run, unit, ended)
    return plan


def _record(run: Path, unit: Unit, status: str, **given: object) -> None:
    row = {
        "config": unit.config_id,
        "fold": unit.fold,
        "seed": unit.seed,
        "status": status,
        **STAMP.row(),
        **given,
    }
    if status in ENDED:
        RunWriter(run).write("units", unit.name, [row])
        return
    (run / "units" / f"{unit.name}.parquet").unlink(missing_ok=True)
    LogWriter(log_file(run, unit.name)).append(rows_frame(row, {}))


def _prepare(sweep: Sweep, run: Path, resume: bool = False) -> Start:
    return prepare(sweep, _fresh(sweep), run, resume=resume, gpu=False)


def test_a_first_start_has_everything_to_do_and_writes_nothing(make: Make, tmp_path: Path) -> None:
    start = _prepare(make(), tmp_path / "run")
    assert (start.new, start.pending, start.finished) == (2, {}, 0)
    assert not start.nothing
    assert not (tmp_path / "run").exists()


def test_a_second_start_of_a_finished_run_has_nothing_to_do(make: Make, tmp_path: Path) -> None:
    _ran(tmp_path, make(), 8, 16)
    start = _prepare(make(), tmp_path)
    assert start.nothing
    assert start.sentences == []
    assert start.finished == 4


def test_more_trials_keep_what_is_there(make: Make, tmp_path: Path) -> None:
    sweep = make()
    _ran(tmp_path, sweep, 8, 16)
    more = with_trials(sweep, "+1", tmp_path, resume=False)
    start = _prepare(more, tmp_path)
    assert (start.new, start.pending, start.finished) == (1, {}, 4)
    assert start.sentences == ["1 more configuration to propose"]


def test_more_seeds_run_only_the_missing_units(make: Make, tmp_path: Path) -> None:
    plan = _ran(tmp_path, make(), 8, 16)
    start = _prepare(make(seeds="[0, 1, 7]"), tmp_path)
    assert start.pending == {config: [Unit(config, FOLD.id, 7)] for config in plan.configs}
    assert start.new == 0
    assert start.sentences == ["1 seed new: 7"]


def test_fewer_seeds_of_a_search_hold_for_new_configurations(make: Make, tmp_path: Path) -> None:
    _ran(tmp_path, make(seeds="3"), 8)
    start = _prepare(make(seeds="1"), tmp_path)
    assert (start.new, start.pending, start.finished) == (1, {}, 1)
    assert start.sentences == [
        "2 seeds no longer asked for: 1, 2",
        "2 stored units of what is no longer asked for: kept, not run, left out of the ranking",
        "1 more configuration to propose",
    ]
    sweep = make()
    grown = start.plan.add(sweep.resolved({"episode.query": 16}, gpu=False), {"episode.query": 16})
    assert len(grown.units()) == 2
    start.plan.save(tmp_path)
    again = _prepare(make(seeds="3", trials=1), tmp_path, resume=True)
    assert again.nothing
    assert again.finished == 3, "they count again when they are named again"


def test_configurations_that_left_a_grid_are_not_run(tmp_path: Path) -> None:
    def grid(query: str, seeds: str) -> Sweep:
        file = tmp_path / "grid.yaml"
        text = YAML.format(trials=2, seeds=seeds, query=query)
        file.write_text(text.replace("trials: 2\n", "design: grid\n"))
        return load_sweep(file)

    stamp = replace(STAMP, scheduler='{"kind": "none"}')
    whole = grid("[8, 16]", "2")
    plan = _fresh(whole)
    replace(plan, status="finished").save(tmp_path)
    first, second = plan.configs
    for unit in plan.units():
        _record(tmp_path, unit, "done", **stamp.row())
    start = _prepare(grid("[8]", "3"), tmp_path)
    assert start.pending == {first: [Unit(first, FOLD.id, 2)]}
    assert start.finished == 2
    assert f"1 configuration no longer asked for: {second}" in start.sentences
    assert (
        "2 stored units of what is no longer asked for: kept, not run, left out of the ranking"
        in start.sentences
    )
    assert not any("other settings" in sentence for sentence in start.sentences)
    start.plan.save(tmp_path)
    ran = Run.open(tmp_path)
    assert set(ran.table("units")["config"]) == {first}
    assert ran.unasked() == 2
    again = _prepare(whole, tmp_path, resume=True)
    assert again.nothing
    assert again.finished == 4


def test_pruned_configurations_get_no_further_seeds(make: Make, tmp_path: Path) -> None:
    plan = _ran(tmp_path, make(), 8, 16)
    dropped, kept = plan.configs
    _record(tmp_path, Unit(dropped, FOLD.id, 0), "pruned")
    assert list(_prepare(make(seeds="3"), tmp_path).pending) == [kept]


def test_interrupted_run_wants_resume_and_runs_the_unfinished(make: Make, tmp_path: Path) -> None:
    plan = _ran(tmp_path, make(), 8, status="running")
    (config,) = plan.configs
    _record(tmp_path, Unit(config, FOLD.id, 1), "running")
    with pytest.raises(UserError, match=r"1 of 4 units finished.*--resume"):
        _prepare(make(), tmp_path)
    start = _prepare(make(), tmp_path, resume=True)
    assert start.pending == {config: [Unit(config, FOLD.id, 1)]}
    assert start.new == 1


def test_results_of_ended_units_reach_their_configuration(make: Make, tmp_path: Path) -> None:
    """A unit that is still to run says it itself, and one of another objective is none of this sweep's."""
    sweep = make(seeds="4")
    plan = _ran(tmp_path, sweep, 8, status="running")
    done, other, diverged, running = plan.units()
    _record(tmp_path, done, "done", objective_value=0.8)
    _record(tmp_path, other, "done", objective="val_unseen/macro/nll", objective_value=0.2)
    _record(tmp_path, diverged, "diverged", objective_value=0.9)
    _record(tmp_path, running, "running", objective_value=0.7)
    start = _prepare(sweep, tmp_path, resume=True)
    assert start.pending == {done.config_id: [other, running]}
    assert start.reached == {done.trial: {done.name: ("done", 0.8), diverged.name: ("diverged", 0.9)}}


def test_resume_without_a_run_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run to continue"):
        _prepare(make(), tmp_path / "run", resume=True)


def test_other_data_are_refused(make: Make, tmp_path: Path) -> None:
    _ran(tmp_path, make(), 8, 16)
    with pytest.raises(UserError, match="another --out"):
        prepare(make(), _fresh(make(), data="e" * 64), tmp_path, resume=False, gpu=False)


def test_failed_units_resume_from_their_checkpoint(make: Make, tmp_path: Path) -> None:
    plan = _ran(tmp_path, make(), 8, 16)
    unit = plan.units()[0]
    _record(tmp_path, unit, "failed")
    left = RunWriter(tmp_path).checkpoint_folder(unit.name) / "last.pt"
    left.write_bytes(b"state of the last finished epoch")
    verdict = Verdict("pruned after epoch 1", "val_unseen/macro/aupr", "{}", (unit.name,))
    verdict.write(tmp_path, unit.config_id)
    assert _prepare(make(), tmp_path).nothing
    start = _prepare(make(), tmp_path, resume=True)
    assert start.failed == [unit]
    assert start.pending == {unit.config_id: [unit]}
    forget(tmp_path, start.failed)
    assert left.exists()
    assert Verdict.read(tmp_path, unit.config_id) is None, "it was about the attempt that failed"


def test_changed_setting_makes_other_configurations_and_says_so(make: Make, tmp_path: Path) -> None:
    _ran(tmp_path, make(), 8, 16)
    start = _prepare(make(sets=("optimiser.lr=0.005",)), tmp_path)
    assert start.new == 2
    assert start.finished == 0
    assert any("made with other settings" in sentence for sentence in start.sentences)
    assert len(start.plan.configs) == 2, "the earlier results stay in the plan"


def test_exhausted_finite_space_is_known_before_a_start(make: Make, tmp_path: Path) -> None:
    start = _prepare(make(trials=9), tmp_path / "none")
    assert start.new == 3
    assert start.exhausted
    _ran(tmp_path, make(trials=9), 8, 16, 32)
    again = _prepare(make(trials=9), tmp_path)
    assert again.nothing
    assert again.exhausted
    assert again.complete == 3


def test_more_trials_count_from_the_largest_number_there_was(make: Make, tmp_path: Path) -> None:
    """After `--trials +1` and then more seeds from the YAML alone, `+1` must still mean one more."""
    wide = make(query="[8, 16, 32, 64]")
    _ran(tmp_path, wide, 8, 16, 32)
    _prepare(make(query="[8, 16, 32, 64]", seeds="3"), tmp_path).plan.save(tmp_path)
    more = with_trials(wide, "+1", tmp_path, resume=False)
    assert more.config.trials == 4


def test_resume_asks_for_no_fewer_than_the_interrupted_start(make: Make, tmp_path: Path) -> None:
    sweep = make()
    replace(_ran(tmp_path, sweep, 8, 16), trials=3, status="interrupted").save(tmp_path)
    resumed = with_trials(sweep, None, tmp_path, resume=True)
    assert resumed.config.trials == 3
    assert _prepare(resumed, tmp_path, resume=True).new == 1
    assert with_trials(sweep, None, tmp_path, resume=False) is sweep


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [
        ("python -m harness.sweep a.yaml", "python -m harness.sweep a.yaml --resume"),
        ("python -m harness.sweep a.yaml --trials +2 --time 2h", "python -m harness.sweep a.yaml --time 2h --resume"),
        ("py a.yaml --trials=+2 --resume", "py a.yaml --resume"),
    ],
)  # fmt: skip
def test_the_command_that_continues(typed: str, goes_on: str) -> None:
    assert continuing(typed.split()) == goes_on


def test_giving_up_fails_the_unfinished_and_keeps_the_done(make: Make, tmp_path: Path) -> None:
    plan = _ran(tmp_path, make(), 8, status="running")
    first, second = plan.units()
    _record(tmp_path, second, "running")
    unrun = Unrun(tmp_path, "val_unseen/macro/aupr", "cpu", STAMP)
    unrun.give_up(plan, [first, second], "its worker died too often")
    statuses = {unit: row.status for unit, row in stored_units(tmp_path).items()}
    assert statuses == {first: "done", second: "failed"}
