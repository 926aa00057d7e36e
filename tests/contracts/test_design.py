"""Every design: distinct valid configurations, as many as it says, or none before they are proposed."""

import json
from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.blocks.design import Arm, Staged, designs
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.design.plan import Plan, Planned
from tests.contracts.settings import SETTINGS, rows

DESIGNS = pytest.mark.parametrize("name", rows()["design"])
CONTINUOUS = {"optimiser.lr": {"loguniform": [1e-4, 1e-2]}}


def sweep(folder: Path, name: str, **keys: object) -> Sweep:
    """A sweep of the design as the table has it, with other keys."""
    content = {"name": "a", "base": "minimal", "data": {"synthetic": {}}, "design": name}
    file = folder / "a.yaml"
    file.write_text(json.dumps({**content, **SETTINGS["design"][name], **keys}))
    return load_sweep(file)


@DESIGNS
def test_configurations_are_distinct_valid_and_as_many_as_said(name: str, tmp_path: Path) -> None:
    made = sweep(tmp_path, name)
    design = made.config.of_design
    arms = design.arms(made.basis)
    ids = [made.resolved(each.changes, gpu=False).id for each in arms]
    assert len(set(ids)) == len(ids)
    assert arms == design.arms(made.basis)
    assert bool(arms) == (not design.searched), "a search knows none before it runs"
    asked = 5 if "trials" not in design.idle else None
    assert design.trials(asked, made.basis) == (asked or len(arms) or design.trials(None, made.basis))
    assert design.trials(asked, made.basis) > 0
    assert design.words("tpe").strip()
    assert design.needs(SETTINGS["design"][name].get("space", {})) == ""
    assert [*design.faults(made.space)] == []
    assert all(isinstance(line, str) and line.strip() for line in design.lines(made.basis))


@DESIGNS
def test_what_is_none_for_it_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    design = designs()[name]
    values = {"trials": 3, "sampler": {"kind": "random"}, "enqueue": [{"energy.form": "gated"}]}
    for key in design.idle:
        with pytest.raises(UserError, match=f"{key} has no meaning under design: {name}"):
            sweep(tmp_path, name, **{key: values[key]})
    if name == "search":
        with pytest.raises(UserError, match=f"design: {name} needs a space"):
            sweep(tmp_path, name, space={})
        assert sweep(tmp_path, name, space=CONTINUOUS).space.size() is None
    else:
        with pytest.raises(UserError, match=f"design: {name}"):
            sweep(tmp_path, name, space=CONTINUOUS)


@DESIGNS
def test_of_an_earlier_start_it_keeps_what_is_asked_for(name: str) -> None:
    design = designs()[name]
    old, new = {"a": 1, "b": 2}, {"b": 3, "c": 4}
    assert design.kept(old, new) == ({**old, **new} if design.searched else new)
    assert old == {"a": 1, "b": 2}
    assert design.missing(2, ["a"]) == int(design.searched)


@DESIGNS
def test_an_ablation_refuses_to_end_some_arms_early(name: str, tmp_path: Path) -> None:
    design = designs()[name]
    assert design.folds == ("each cell line" if design.ablates else "one")
    if not design.ablates:
        assert sweep(tmp_path, name, scheduler={"kind": "asha"}).config.scheduler.kind == "asha"
        return
    with pytest.raises(UserError, match="asha ends some arms earlier than others"):
        sweep(tmp_path, name, scheduler={"kind": "asha"})
    assert sweep(tmp_path, name).config.scheduler.kind == "none"


@DESIGNS
def test_what_an_arm_is_comes_back_from_the_plan(name: str, tmp_path: Path) -> None:
    made = sweep(tmp_path, name)
    design = made.config.of_design
    arms = design.arms(made.basis) or [Arm({"loss.ranking.weight": 0.5})]
    if isinstance(design, Staged):
        arms = design.next_arms(made.basis, lambda changes: None)
    for arm in arms:
        planned = Planned.of(arm, made.resolved(arm.changes, gpu=False))
        again = Planned.stored(json.loads(json.dumps(planned.content())))
        assert again == planned
        assert (again.arm, again.family, again.mechanism) == (arm.name, arm.family, arm.mechanism)
    plan = Plan("a", name, "val_unseen/macro/aupr", "d", 1, ("f",), (0,))
    for arm in arms:
        plan = plan.with_arm(made.resolved(arm.changes, gpu=False), arm)
    assert len(plan.configs) == len(arms)
