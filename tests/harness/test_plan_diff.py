"""A plan is configurations x folds x seeds by content; it survives a kill and tells what a later start adds."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.store import Run
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan, Unit, diff, merge

GRID, SEARCH = SEARCH_SPACES / "truth_gated.yaml", SEARCH_SPACES / "rp24.yaml"


FIRST = Fold("fold0", ("NHEK",), ("K562",), ("chr2", "chr10"))
OTHER = Fold("fold1", ("HMEC",), ("K562",), ("chr2", "chr10"))


def plan_of(sweep: Sweep, *, data: str = "d" * 64, folds: tuple[Fold, ...] = (FIRST,)) -> Plan:
    return Plan.of(sweep, folds=folds, data=data)


def test_grid_is_planned_whole_and_without_repeats() -> None:
    sweep = load_sweep(GRID, overrides=["trial.seeds=[3, 7]"])
    plan = plan_of(sweep, folds=(FIRST, OTHER))
    assert len(plan.configs) == 2
    assert len(plan.units()) == 8
    first = next(iter(plan.configs))
    assert plan.units()[:3] == [Unit(first, FIRST.id, 3), Unit(first, FIRST.id, 7), Unit(first, OTHER.id, 3)]
    assert Unit("abc", "a", 3).name == "abc-a-3"
    planned = plan.configs[first]
    assert planned.changes == {"energy.form": "linear"}
    assert planned.config.model.size == "small"
    again = plan.add(sweep.resolved({"energy.form": "linear"}, gpu=False), {"energy.form": "linear"})
    assert again is plan
    repeated = load_sweep(GRID, overrides=["loss.ranking.weight=0.5"])
    assert not set(plan_of(repeated).configs) & set(plan.configs)


def test_a_search_is_planned_as_it_goes() -> None:
    sweep = load_sweep(SEARCH)
    plan = plan_of(sweep)
    assert plan.configs == {}
    assert plan.trials == 8
    assert plan.units() == []
    config = sweep.trial.resolved()
    grown = plan.add(config, {})
    assert [u.config_id for u in grown.units()] == [config.id] * 3
    assert plan.configs == {}


def test_saved_plan_loads_equal_and_nothing_else_is_left(tmp_path: Path) -> None:
    plan = replace(plan_of(load_sweep(GRID)), status="running")
    assert Plan.load(tmp_path / "run") is None
    plan.save(tmp_path / "run")
    plan.save(tmp_path / "run")
    assert Plan.load(tmp_path / "run") == plan
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["plan.json"]


def test_a_kill_while_saving_leaves_the_old_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(load_sweep(GRID))
    plan.save(tmp_path)

    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.design.plan.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        replace(plan, status="finished").save(tmp_path)
    assert Plan.load(tmp_path) == plan


def test_added_configurations_are_planned_and_half_a_line_is_not(tmp_path: Path) -> None:
    sweep = load_sweep(SEARCH)
    plan = plan_of(sweep)
    plan.save(tmp_path)
    head = (tmp_path / "plan.json").read_bytes()
    for lr in (0.001, 0.002):
        config = sweep.resolved({"optimiser.lr": lr}, gpu=False)
        plan = plan.add(config, {"optimiser.lr": lr})
        plan.append(tmp_path, config.id)
    assert (tmp_path / "plan.json").read_bytes() == head, "what is there is not written again"
    assert Plan.load(tmp_path) == plan
    file = tmp_path / "plan-added.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    half = Plan.load(tmp_path)
    assert half is not None
    assert list(half.configs) == list(plan.configs)[:1]
    assert [entry["id"] for entry in Run(tmp_path).plan()["configs"]] == list(half.configs)
    plan.save(tmp_path)
    assert not file.exists()
    assert Plan.load(tmp_path) == plan


def test_kill_between_plan_and_removal_of_its_lines_is_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = load_sweep(SEARCH)
    plan_of(sweep).save(tmp_path)
    config = sweep.trial.resolved()
    plan = plan_of(sweep).add(config, {})
    plan.append(tmp_path, config.id)

    def killed(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            plan.save(tmp_path)
    assert Plan.load(tmp_path) == plan


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda text: text[:50], "is not the plan of a run"),
        (lambda text: text.replace('"version": 2', '"version": 9'), "version 9"),
        (lambda text: text.replace('"planned"', '"palnned"'), "'palnned' is not one of planned"),
        (lambda text: text.replace('"lr": 0.003', '"lr": 0.004'), "has the content of"),
        (lambda text: text.replace('"lr": 0.003', '"lr": "x"'), "optimiser.lr is 'x', expected a number"),
        (lambda text: text.replace('"version": 2', '"version": 1'), "knows its folds by name only"),
        (lambda text: text.replace('"NHEK"', '"HMEC"'), f"fold {FIRST.id} has the content of {OTHER.id}"),
        (lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "folds"}), "folds"),
    ],
)
def test_spoilt_plan_is_refused(tmp_path: Path, edit: Callable[[str], str], says: str) -> None:
    file = plan_of(load_sweep(GRID)).save(tmp_path)
    file.write_text(edit(file.read_text()))
    with pytest.raises(UserError, match=says) as caught:
        Plan.load(tmp_path)
    assert str(caught.value).startswith(f"{file}: ")


def test_plan_from_before_a_field_names_it_and_what_to_do(tmp_path: Path) -> None:
    plan = plan_of(load_sweep(GRID))
    file = plan.save(tmp_path)
    content = json.loads(file.read_text())
    for entry in content["configs"]:
        del entry["config"]["optimiser"]["weight_decay"]
        identity = plan.configs[entry["id"]].config.identity()
        del identity["optimiser"]["weight_decay"]
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        entry["id"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"was stored before optimiser.weight_decay existed.*Before\(VALUE\)"):
        Plan.load(tmp_path)


def test_more_seeds_add_only_the_missing_units() -> None:
    old = plan_of(load_sweep(GRID, overrides=["trial.seeds=2"]))
    new = plan_of(load_sweep(GRID, overrides=["trial.seeds=3"]))
    found = diff(old, new)
    assert [unit.seed for unit in found.added] == [2, 2]
    assert found.shared == old.units()
    assert found.dropped == []
    assert found.sentences == ["1 seed new: 2"]
    assert set(merge(old, new).units()) == set(new.units())


def test_an_equal_plan_has_nothing_to_add() -> None:
    plan = plan_of(load_sweep(GRID))
    found = diff(plan, plan)
    assert found.added == []
    assert found.dropped == []
    assert found.sentences == []
    assert found.more_trials == 0


def test_a_changed_grid_reuses_what_it_shares_and_keeps_the_rest() -> None:
    sweep = load_sweep(GRID)
    old = plan_of(sweep)
    new = plan_of(load_sweep(GRID, overrides=["energy.form=gated"]))
    found = diff(old, new)
    gated = sweep.resolved({"energy.form": "gated"}, gpu=False).id
    assert {unit.config_id for unit in found.shared} == {gated}
    assert found.added == []
    assert {unit.config_id for unit in found.dropped} == set(old.configs) - {gated}
    merged = merge(old, new)
    assert set(merged.configs) == set(old.configs)
    assert merged.asked == [gated]
    assert merged.units() == new.units()
    assert set(merged.whole().units()) == set(old.units())
    again = merge(merged, old)
    assert set(again.units()) == set(old.units())
    assert again.other_configs == ()
    assert diff(merged, old).sentences == [f"1 configuration new: {merged.other_configs[0]}"]


def test_seeds_no_longer_asked_for_stay_known_and_are_not_run() -> None:
    sweep = load_sweep(SEARCH, overrides=["trial.seeds=3"])
    old = plan_of(sweep).add(sweep.trial.resolved(), {})
    merged = merge(old, plan_of(load_sweep(SEARCH, overrides=["trial.seeds=1"])))
    assert (merged.seeds, merged.other_seeds) == ((0,), (1, 2))
    grown = merged.add(sweep.resolved({"optimiser.lr": 0.001}, gpu=False), {"optimiser.lr": 0.001})
    assert {unit.seed for unit in grown.units()} == {0}
    assert len(grown.units()) == 2
    assert {unit.seed for unit in merged.whole().units()} == {0, 1, 2}
    last = merge(merged, plan_of(load_sweep(SEARCH, overrides=["trial.seeds=2"])))
    assert (last.seeds, last.other_seeds) == ((0, 1), (2,))


def test_what_is_no_longer_asked_for_is_saved(tmp_path: Path) -> None:
    old = plan_of(load_sweep(GRID, overrides=["trial.seeds=3"]))
    merged = merge(old, plan_of(load_sweep(GRID, overrides=["energy.form=gated", "trial.seeds=1"])))
    merged.save(tmp_path)
    assert Plan.load(tmp_path) == merged
    assert [entry["id"] for entry in Run(tmp_path).plan()["configs"]] == merged.asked
    content = json.loads((tmp_path / "plan.json").read_text())
    for name in ("other_configs", "other_seeds"):
        del content[name]
    (tmp_path / "plan.json").write_text(json.dumps(content))
    before = Plan.load(tmp_path)
    assert before is not None
    assert before.asked == list(merged.configs), "a plan of an earlier program"


def test_extending_a_search_proposes_only_the_rest() -> None:
    sweep = load_sweep(SEARCH)
    old = plan_of(sweep).add(sweep.trial.resolved(), {})
    found = diff(old, plan_of(load_sweep(SEARCH, overrides=["trials=40"])))
    assert found.more_trials == 39
    assert found.added == []
    assert found.shared == old.units()
    assert found.sentences == ["39 more configurations to propose"]
    assert diff(old, replace(plan_of(sweep), trials=1)).sentences == []


def test_other_data_or_another_design_cannot_join_a_run() -> None:
    sweep = load_sweep(GRID)
    with pytest.raises(UserError, match="results on different data are not comparable"):
        diff(plan_of(sweep), plan_of(sweep, data="e" * 64))
    with pytest.raises(UserError, match="has design grid and this start has design search"):
        diff(plan_of(sweep), plan_of(load_sweep(SEARCH)))
