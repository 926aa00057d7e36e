"""What a person writes for a configuration stands for one of them, or is answered with what there is."""

import json
import shutil
from pathlib import Path

import pytest

from analysis.arms import arm_labels
from analysis.chosen import chosen
from analysis.errors import UserError
from analysis.labels import short_ids
from analysis.reported import configuration_changes
from analysis.store import Run
from tests.recorded.copies import RUN


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(RUN)


@pytest.fixture(scope="module")
def names(run: Run) -> dict[str, str]:
    changes = configuration_changes(run)
    return arm_labels(run, changes, changes)


@pytest.mark.parametrize(
    "shape",
    [
        "{id}", "{short}", "{name}", "#1 {name}", "2~ {name}", "energy.form={form}, … {short}", "{name} ({id})",
        "{reversed}", "energy.form={form}, loss.ranking.weight={weight}",
        "energy = {form} , ranking = {weight}", "1~ {name} ({short})",
    ],
)  # fmt: skip
def test_what_tables_show_stands_for_a_configuration(run: Run, names: dict[str, str], shape: str) -> None:
    for config, name in names.items():
        form, weight = (part.split("=")[1] for part in name.split(", "))
        told = {"id": config, "short": config[:6], "name": name, "form": form, "weight": weight}
        text = shape.format(**told, reversed=", ".join(reversed(name.split(", "))))
        assert chosen(run, text) == config


def test_several_and_none_are_answered_with_names(run: Run, names: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"stands for 2 configurations: .*energy=gated.*; give more of it"):
        chosen(run, "energy=gated")
    some = next(iter(names.values()))
    with pytest.raises(UserError, match=f"no configuration '{some}0'; did you mean '{some}'"):
        chosen(run, f"{some}0")
    with pytest.raises(UserError, match="no configuration ''"):
        chosen(run, "")


@pytest.mark.parametrize(
    "shape",
    [
        "energy=gated, energy=linear, ranking=1", "energy=linear, … {gated}", "#1 energy=linear ({gated})",
        "energy=gated, w=1, ranking=1", "=gated", "energy=gated,", "{gated}0", "..", "x" * 5000, "%s[",
        "energy=gated\nranking=1",
    ],
)  # fmt: skip
def test_what_means_nothing_is_one_short_sentence(run: Run, names: dict[str, str], shape: str) -> None:
    gated = next(config for config, name in names.items() if name == "energy=gated, ranking=1")
    assert chosen(run, f"energy=gated, … {gated[:6]}") == gated
    with pytest.raises(UserError, match="has no configuration") as refused:
        chosen(run, shape.format(gated=gated) if "{" in shape else shape)
    assert len(str(refused.value)) < 500


def test_an_arm_is_taken_by_its_name_in_both_languages(tmp_path: Path) -> None:
    copy = shutil.copytree(RUN, tmp_path / "run")
    plan = json.loads((copy / "plan.json").read_text())
    plan["configs"][0] |= {"arm": "base", "family": "base"}
    plan["configs"][1] |= {"arm": "without gcn", "family": "removal"}
    (copy / "plan.json").write_text(json.dumps(plan))
    first, second = (str(entry["id"]) for entry in plan["configs"][:2])
    assert [chosen(Run(copy), text) for text in ("base", "without gcn", "去掉 gcn")] == [
        first,
        second,
        second,
    ]


def test_what_is_planned_and_has_not_begun_is_said(tmp_path: Path) -> None:
    copy = shutil.copytree(RUN, tmp_path / "run")
    plan = json.loads((copy / "plan.json").read_text())
    plan["configs"].append({"id": "fffffffff", "changes": {}})
    (copy / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match="configuration 'ffff' has not begun"):
        chosen(Run(copy), "ffff")


def test_short_identities_are_as_long_as_they_must_be() -> None:
    assert short_ids(["aaaaaabb", "aaaaaacc", "bbbbbbbb"]) == {
        "aaaaaabb": "aaaaaab", "aaaaaacc": "aaaaaac", "bbbbbbbb": "bbbbbbb",
    }  # fmt: skip
