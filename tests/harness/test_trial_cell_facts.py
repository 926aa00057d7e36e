"""What is known of cell lines: features that cannot be standardised and relations that cannot be are refused by name."""

import copy
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from analysis.errors import UserError
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.folds import split
from harness.single.command import main
from harness.trial.episodes.cell_facts import RELATIONS, standardised_features
from harness.trial.episodes.feasible import check_feasible
from tests.harness.conftest import MakeUnit


@pytest.mark.parametrize("huge", [1.7e308, 1e200, -1e308])
@pytest.mark.parametrize("lines", ["all", "one", "unseen"])
def test_a_feature_that_overflows_is_refused_by_name(huge: float, lines: str, make_unit: MakeUnit) -> None:
    unit_run = make_unit({"environment.source": "features"})
    data = copy.copy(unit_run.dataset)
    assert data.features is not None
    assert data.feature_names is not None
    given = {name: values.copy() for name, values in data.features.items()}
    chosen = {"all": data.cell_lines, "one": [unit_run.trained[0]], "unseen": [unit_run.fold.test[0]]}[lines]
    for number, name in enumerate(chosen):
        given[name][1] = huge * (1 - 0.1 * number)
    data.features = given
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError) as raised:
            standardised_features(unit_run.config, data, unit_run.codes)
    assert str(raised.value).startswith(f"feature '{data.feature_names[1]}' of ")
    assert f"it is {huge:g} in {chosen[0]}" in str(raised.value)


@pytest.mark.parametrize("path", RELATIONS)
def test_tables_of_relations_are_checked_before_building(path: str, make_unit: MakeUnit) -> None:
    unit_run = make_unit({})
    rows = [{"a": unit_run.trained[0], "b": "no such line", "weight": 0.5}]
    content: dict[str, Any] = {
        "environment": {"source": "support", "graph": {"kind": "gcn", "map": "attention"}},
        "loss": {"contrastive": {"weight": 0.5}},
    }
    block, part, _ = path.split(".")
    content[block][part]["relations"] = rows
    config = ConfigurationBlock.model_validate(content)
    splits = split(unit_run.dataset, unit_run.fold)
    with pytest.raises(UserError, match=f"{path} names 'no such line', which is no cell line of the data"):
        check_feasible(config, unit_run.dataset, unit_run.fold, splits)


@pytest.mark.parametrize("path", RELATIONS)
def test_two_weights_of_one_pair_are_refused_with_both_rows(path: str) -> None:
    rows: list[dict[str, Any]] = [
        {"a": "A", "b": "B", "weight": 0.25},
        {"a": "A", "b": "C"},
        {"a": "B", "b": "A", "weight": 0.75},
    ]

    def config(rows: list[dict[str, Any]]) -> ConfigurationBlock:
        content: dict[str, Any] = {
            "environment": {"source": "support", "graph": {"kind": "gcn", "map": "attention"}},
            "loss": {"contrastive": {"weight": 0.5}},
        }
        block, part, _ = path.split(".")
        content[block][part]["relations"] = rows
        return ConfigurationBlock.model_validate(content)

    with pytest.raises(ValidationError) as raised:
        config(rows)
    assert (
        f"{path} relates B and A twice, with weight 0.25 (row 1) and 0.75 (row 3): expected one weight per pair"
        in str(raised.value)
    )
    config([*rows[:2], {**rows[2], "weight": 0.25}])


REFUSED = {
    "relations": (
        [
            "loss.contrastive.weight=0.5",
            "loss.contrastive.relations=[{a: nowhere, b: elsewhere}]",
        ],
        "loss.contrastive.relations names 'nowhere'",
    ),
    "identity": (["environment.source=id"], "has no embedding for the unseen cell lines"),
    "support": (["support.size=4096"], "lower support.size or episode.query"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_trial_leaves_nothing(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, sentence = REFUSED[case]
    out, cache = tmp_path / "deep" / "run", tmp_path / "cache"
    sets = [word for change in changes for word in ("--set", change)]
    monkeypatch.setattr(sys, "argv", ["trial", "minimal", *sets, "--out", str(out), "--cache", str(cache)])
    with pytest.raises(UserError, match=sentence):
        main()
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
