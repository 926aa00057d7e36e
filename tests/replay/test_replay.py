"""The comparison of two recordings sees what is not equal, and only that, under the table of renames."""

import copy
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.replay import __main__ as command
from tests.replay.compare import compare
from tests.replay.configurations import replayed
from tests.replay.read import read_run
from tests.replay.renames import Renames, ReplayError

ROOT = Path(__file__).resolve().parents[2]
CELLS = {"epoch": 1, "selection": "epoch", "split": "test", "score": "u_only", "prevalence_mode": "as_found"}


def write_run(run: Path, weight: torch.Tensor, aupr: float = 0.25) -> Path:
    """Files of a run with one weight, one state, one prediction and two rows of cells."""
    folder = run / "checkpoints" / "unit"
    folder.mkdir(parents=True)
    state = {"model": {"energy.w": weight}, "states": {"task": {"a": torch.tensor(0.5)}}}
    torch.save({"trainer": state, "state": "{}"}, folder / "last.pt")
    tables: dict[str, list[dict[str, Any]]] = {
        "predictions": [{"split": "test", "pair": 3, "u": 0.5, "r": 0.0, "logit": 0.5}],
        "cells": [
            {**CELLS, "cell_line": name, "protocol": "exact", "aupr": aupr, "config": str(run)}
            for name in ("macro", "C01")
        ],
    }
    for name, rows in tables.items():
        (run / name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), run / name / "unit.parquet")
    return run


def recording(run: Path, renames: Renames | None = None) -> dict[str, Any]:
    renames = renames or Renames()
    return {"renames": vars(renames), "complete": True, "configurations": {"one": read_run(run, renames)}}


@pytest.fixture
def before(tmp_path: Path) -> dict[str, Any]:
    return recording(write_run(tmp_path / "before", torch.ones(3)))


def differences(before: dict[str, Any], after: dict[str, Any], renames: Renames | None = None) -> list[str]:
    (equality,) = compare(before, after, renames or Renames())
    return equality.differences


def test_what_was_computed_twice_is_equal(before: dict[str, Any], tmp_path: Path) -> None:
    after = recording(write_run(tmp_path / "after", torch.ones(3)))
    (equality,) = compare(before, json.loads(json.dumps(after)), Renames())
    assert equality.differences == []
    assert equality.counts == {"tensors": (2, 2), "arrays": (5, 5), "rows": (2, 2)}


def test_one_flipped_bit_of_a_weight_is_seen(before: dict[str, Any], tmp_path: Path) -> None:
    weight = torch.ones(3)
    weight.view(torch.int32)[1] ^= 1
    after = recording(write_run(tmp_path / "after", weight))
    assert differences(before, after) == ["last.model.energy.w: other values"]


def test_one_bit_of_a_cell_is_seen_with_both_values(before: dict[str, Any], tmp_path: Path) -> None:
    after = recording(write_run(tmp_path / "after", torch.ones(3), aupr=0.25000000000000006))
    first, second = differences(before, after)
    assert first == "cells/1/epoch/test/macro/u_only/as_found/exact aupr: 0.25 -> 0.25000000000000006"
    assert "C01" in second


@pytest.mark.parametrize(("kind", "name"), [("tensors", "last.states.task.a"), ("rows", "cells")])
def test_what_is_missing_on_one_side_is_seen(before: dict[str, Any], kind: str, name: str) -> None:
    after = copy.deepcopy(before)
    del after["configurations"]["one"][kind][name]
    assert all("only before" in line for line in differences(before, after))
    assert differences(before, after)
    assert all("only after" in line for line in differences(after, before))
    assert differences(after, before)


def test_a_configuration_on_one_side_is_seen(before: dict[str, Any]) -> None:
    after = {**before, "configurations": {}}
    assert differences(before, after) == ["only before"]
    with pytest.raises(ReplayError, match="in common"):
        differences(before, {**after, "complete": False})


def test_a_part_of_the_configurations_is_compared_alone(before: dict[str, Any]) -> None:
    one = before["configurations"]["one"]
    whole = {**before, "configurations": {"one": one, "two": one}}
    assert differences(whole, {**before, "complete": False}) == []


def test_names_are_compared_under_the_renames(before: dict[str, Any]) -> None:
    after = json.loads(json.dumps(before))
    one = after["configurations"]["one"]
    one["tensors"]["last.gate.slope"] = one["tensors"].pop("last.model.energy.w")
    one["rows"]["scores"] = [
        {
            ("ap" if column == "aupr" else column): "potential" if value == "u_only" else value
            for column, value in row.items()
        }
        for row in one["rows"].pop("cells")
    ]
    content = {
        "tensors": {"model.energy.w": "gate.slope"},
        "tables": {"cells": "scores"},
        "columns": {"cells.aupr": "ap"},
        "words": {"u_only": "potential"},
    }
    assert differences(before, after, Renames.of(content)) == []
    assert differences(before, before) == []
    without = Renames.of({**content, "tensors": {}})
    assert differences(before, after, without) == [
        "last.model.energy.w: only before",
        "last.gate.slope: only after",
    ]


def test_earlier_renames_are_not_asked_for_again(before: dict[str, Any]) -> None:
    content = {"gone": {"cells.auc": "a reason"}, "added": {"model.other": "a reason"}}
    assert differences({**before, "renames": content}, before, Renames.of(content)) == []


def test_what_is_left_out_is_left_out_under_a_new_name(before: dict[str, Any]) -> None:
    after = copy.deepcopy(before)
    for row in after["configurations"]["one"]["rows"]["cells"]:
        row["seconds"] = 1.5
    assert differences(before, after, Renames.of({"columns": {"cells.wall_s": "seconds"}})) == []
    assert differences(before, after)[0].endswith("seconds: only after")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"parameter": {}}, "no kind 'parameter'"),
        ({"tensors": {"model.energy.w": "model.slope"}}, "'model.energy.w' matches nothing"),
        ({"words": {"u_only": "u"}}, "'u_only' matches nothing"),
        ({"columns": {"cells.aupr": "ap"}}, "'cells.aupr' matches nothing"),
        ({"tables": {"cells": "scores"}}, "'cells' matches nothing"),
        ({"gone": {"cells.auc": "a reason"}}, "'cells.auc' matches nothing"),
        ({"added": {"model.other": "a reason"}}, "'model.other' matches nothing"),
        ({"tensors": {"a": "c", "b": "c"}}, "two things 'c'"),
        ({"tensors": {"states.task.a": "model.energy.w"}}, "two things are called"),
    ],
)
def test_an_entry_that_is_wrong_is_an_error(
    before: dict[str, Any], content: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ReplayError, match=sentence):
        differences(before, before, Renames.of(content))


def test_what_has_no_counterpart_is_listed(before: dict[str, Any]) -> None:
    after = copy.deepcopy(before)
    del after["configurations"]["one"]["tensors"]["last.states.task.a"]
    for row in after["configurations"]["one"]["rows"]["cells"]:
        del row["aupr"]
    gone = Renames.of({"gone": {"states.task": "not kept", "cells.aupr": "not kept"}})
    assert differences(before, after, gone) == []


def test_the_command_says_by_its_status_whether_all_is_equal(
    before: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [tmp_path / name for name in ("before.json", "after.json")]
    after = copy.deepcopy(before)
    after["configurations"]["one"]["tensors"]["last.model.energy.w"] = "0"
    monkeypatch.setattr(command, "ROOT", tmp_path)
    for second, status, last in (
        (before, 0, "all equal bit for bit"),
        (after, 1, "1 of 1 configurations differ"),
    ):
        files[0].write_text(json.dumps(before))
        files[1].write_text(json.dumps(second))
        monkeypatch.setattr("sys.argv", ["replay", "compare", *map(str, files)])
        assert command.main() == status
        assert capsys.readouterr().out.splitlines()[-1] == last
    files[1].write_text("{}")
    assert command.main() == 2
    assert "it is no recording" in capsys.readouterr().err


def test_configurations_are_written_in_the_names_of_a_tree(tmp_path: Path) -> None:
    presets = tmp_path / "search_spaces" / "presets"
    presets.mkdir(parents=True)
    for name in ("complete", "cross_attention", "rp12", "rp13", "rp24"):
        (presets / f"{name}.yaml").touch()
    renames = Renames.of(
        {
            "keys": {"episode": "step.episode", "decouple.reach": None},
            "values": {"environment.prior.extrapolate=own": "itself"},
        }
    )
    every = {each.name: each for each in replayed(tmp_path, renames)}
    content = every["sweep-1"].source
    assert isinstance(content, dict)
    assert content["step"]["episode"]["query"] == 16
    assert "episode" not in content
    assert "reach" not in content["decouple"]
    assert content["environment"]["prior"]["extrapolate"] == "itself"
    assert every["rp12"].sets["step.episode.query"] == 16
    with pytest.raises(ReplayError, match="matches nothing"):
        replayed(tmp_path, Renames.of({"keys": {"energy.slope": "x"}}))


def test_every_preset_and_eight_of_the_sweep_are_replayed() -> None:
    every = {each.name for each in replayed(ROOT, Renames.read(ROOT))}
    presets = {path.stem for path in (ROOT / "search_spaces" / "presets").glob("*.yaml")}
    assert presets | {f"sweep-{number}" for number in range(1, 9)} < every
