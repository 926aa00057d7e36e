"""Every design: distinct valid configurations, as many as it says, or none before a sampler proposes them."""

import json
from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.blocks.design import designs
from harness.config.sweep.sweep import Sweep, load_sweep
from tests.contracts.settings import SETTINGS, rows

DESIGNS = pytest.mark.parametrize("name", rows()["design"])
CONTINUOUS = {"optimiser.lr": {"loguniform": [1e-4, 1e-2]}}


def sweep(folder: Path, name: str, **keys: object) -> Sweep:
    """A sweep of the design over its space of the table, or over another one."""
    content = {"name": "a", "base": "minimal", "data": {"synthetic": {}}, "design": name}
    file = folder / "a.yaml"
    file.write_text(json.dumps({**content, "space": SETTINGS["design"][name], **keys}))
    return load_sweep(file)


@DESIGNS
def test_configurations_are_distinct_valid_and_as_many_as_said(name: str, tmp_path: Path) -> None:
    made = sweep(tmp_path, name)
    design = made.config.of_design
    changes = design.configurations(made.space)
    ids = [made.resolved(each, gpu=False).id for each in changes]
    assert len(set(ids)) == len(ids)
    assert changes == design.configurations(made.space)
    assert bool(changes) == (not design.searched), "a search knows none before it runs"
    asked = 5 if design.searched else None
    assert design.trials(asked, made.space) == (asked or len(changes))
    assert design.words("tpe").strip()
    assert design.needs(SETTINGS["design"][name]) == ""
    assert [*design.faults(made.space)] == []


@DESIGNS
def test_what_is_none_for_it_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    design = designs()[name]
    for key in design.idle:
        with pytest.raises(UserError, match=f"{key} has no meaning under design: {name}"):
            sweep(tmp_path, name, **{key: 3 if key == "trials" else {"kind": "random"}})
    if design.searched:
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
