"""The catalogue of mechanisms: complete, true to the configuration, and every row has a test that names it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.config.blocks.paths import find, leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import catalogue, configured
from harness.mechanisms.mechanism import GROUPS, Mechanism, Setting
from harness.mechanisms.registered import UnplacedError, declarations, registered, registries, settings_of
from models.declared import GIVEN, POSITIVE, declare
from models.energy import ENERGIES, Energy
from models.energy.dissipation import LinearEnergy
from models.environment.placement import Placement
from models.losses import LOSSES
from models.losses.ranking import PairwiseRanking
from models.registry import CHOICES, Registry
from tests.definitions_table import PLACES
from tests.harness.command import command

ROWS = catalogue()
IDS = {
    f"M{number:02d}"
    for number in (*range(1, 8), *range(10, 17), *range(20, 30), *range(30, 40), *range(40, 44))
}
"""The mechanisms of the documents."""
TESTS = Path(__file__).resolve().parents[1]


def lacks(row: Mechanism) -> list[str]:
    """What keeps a row from being complete."""
    missing = [field for field, text in row.row().items() if not text.strip()]
    missing += [f"group {group}" for group in row.trains if group not in GROUPS]
    missing += ["-> in shapes"] * ("->" not in row.shapes) + ["when"] * (not row.when)
    for setting in row.when:
        if setting.path not in leaves():
            missing.append(f"path {setting.path}")
        elif setting.value not in (POSITIVE, GIVEN):
            find(setting.path).check(setting.value)
    return missing


def named(row: Mechanism, texts: dict[str, str]) -> bool:
    """Whether a test speaks of the mechanism: its class, its key as a word in quotes, or a path with its value."""
    words = {rf"\b{row.cls.__name__}\b"} if row.cls is not None else set()
    words |= {rf"[\"'.]{re.escape(row.key)}[\"']"}
    words |= {re.escape(setting.path) for setting in row.when if setting.value in (POSITIVE, GIVEN)}
    for setting in row.when:
        if setting.value not in (POSITIVE, GIVEN):
            words |= {rf"{re.escape(setting.path)}\W+{re.escape(str(setting.value))}"}
    return any(re.search(word, text) for word in words for text in texts.values())


def test_every_mechanism_of_the_documents_has_a_row() -> None:
    assert {row.id for row in ROWS} == IDS


def test_keys_are_unique_and_every_registered_row_is_there() -> None:
    keys = [(row.kind, row.key) for row in ROWS]
    assert len(keys) == len(set(keys))
    assert {(kind, row.mechanism) for kind, table in registries().items() for row in table} <= set(keys)
    assert len(list(registered())) >= 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}-{row.key}")
def test_row_is_complete_and_its_key_is_of_the_configuration(row: Mechanism) -> None:
    assert lacks(row) == []


def test_every_row_is_named_by_a_test() -> None:
    own = {Path(__file__).name}
    texts = {path.name: path.read_text() for path in TESTS.rglob("test_*.py") if path.name not in own}
    assert [f"{row.id} {row.key}" for row in ROWS if not named(row, texts)] == []


def test_the_checks_see_what_they_look_for() -> None:
    row = next(row for row in ROWS if row.key == "gated")
    assert lacks(replace(row, equation=" ")) == ["equation"]
    assert lacks(replace(row, trains="GX")) == ["group X"]
    assert lacks(replace(row, when=(Setting("energy.shape", "gated"),))) == ["path energy.shape"]
    with pytest.raises(Exception, match="gatted"):
        lacks(replace(row, when=(Setting("energy.form", "gatted"),)))
    assert not named(replace(row, key="nowhere", cls=None, when=()), {"test_x.py": "gated"})


LETTERS = {"T": "training", "K": "prediction_known", "U": "prediction_unseen"}


def test_every_mechanism_declares_where_it_acts_and_its_reads() -> None:
    others = {row.key: row for row in ROWS if row.kind != "loss term"}
    assert set(others) == set(PLACES)
    declared = {key: (row.acts, row.reads) for key, row in others.items()}
    assert declared == {
        key: (frozenset(LETTERS[letter] for letter in place.acts), frozenset(place.reads.split()))
        for key, place in PLACES.items()
    }


@pytest.fixture
def forms_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that a test makes for the same setting takes the place of the real one, until the test ends."""
    monkeypatch.setitem(CHOICES, "energy.form", CHOICES["energy.form"])


def test_a_mechanism_without_these_declarations_is_refused(forms_stay: None) -> None:
    with pytest.raises(ValueError, match="mechanism 'lost' is declared without acts, reads"):
        declare(
            "M07", "lost", kind="k", name="n", when={"model.width": 8}, equation="e", shapes="->", source="s"
        )
    with pytest.raises(ValueError, match="declares 'nowhere': it may act in training"):
        declare("M07", "lost", kind="k", name="n", when={"model.width": 8}, equation="e", shapes="->", source="s",
                acts=frozenset({"nowhere"}), reads=frozenset())  # fmt: skip
    energies: Registry[Energy] = Registry("energy form", Energy, path="energy.form")
    texts = {"id": "M10", "name": "n", "equation": "e", "shapes": "->", "source": "s"}
    with pytest.raises(ValueError, match=r"'silent' \(Silent\) does not declare acts, .*reads"):
        energies.register("silent", **texts)(type("Silent", (Energy,), {"__doc__": "d"}))
    row = replace(ENERGIES.row("linear"), cls=type("Wrong", (LinearEnergy,), {"reads": frozenset({"moon"})}))
    with pytest.raises(UnplacedError, match="energy form 'linear' declares 'moon'"):
        declarations(ENERGIES, row)


def test_row_that_no_configuration_path_chooses_is_refused(forms_stay: None) -> None:
    unplaced: Registry[object] = Registry("energy form", object, path="energy.form")
    unplaced.register("nowhere", id="M10", name="n", equation="e", shapes="-> s", source="s")(Mechanism)
    with pytest.raises(UnplacedError, match="energy form 'nowhere'"):
        settings_of(unplaced, unplaced.row("nowhere"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("weight", "loss.nowhere.weight", "loss.nowhere.weight is no path of the configuration"),
        ("chosen", {"loss.ranking.surrogate": "hinge"}, "loss.ranking.surrogate has no value hinge"),
    ],
)
def test_a_loss_term_that_nobody_can_switch_on_is_refused(name: str, value: object, sentence: str) -> None:
    row = replace(LOSSES.row("ranking_pairwise"), cls=type("Lost", (PairwiseRanking,), {name: value}))
    with pytest.raises(UnplacedError, match=f"loss term 'ranking_pairwise': {sentence}"):
        settings_of(LOSSES, row)


def test_what_a_configuration_has_follows_its_settings() -> None:
    settings = ConfigurationBlock().resolved().model_dump()
    keys = {row.key for row in configured(settings)}
    assert {
        "linear",
        "fixed",
        "support",
        "moments",
        "scope_cell",
        "immax",
        "cbat",
        "anchors",
        "isolated",
    } <= keys
    assert not keys & {"gated", "bce", "contrastive", "scope_sample", "curriculum", "fusion", "share_sides"}
    settings["loss"]["contrastive"]["weight"] = 0.1
    assert "contrastive" in {row.key for row in configured(settings)}


def test_trains_is_the_reach_of_the_term_that_is_built() -> None:
    trains = {row.key: row.trains for row in ROWS}
    assert trains["immax"] == "SEGT" or set(trains["immax"]) == set("SETG")
    assert set(trains["grl"]) == set("SA")
    assert set(trains["sparsity_z_i"]) == set("S")
    assert trains["gated"] == "G"


def test_printed_map_onto_the_graph_has_the_parts_of_its_class() -> None:
    """z_E = sum_p a_p H_p: a query of the Student and a key of the prototypes, no value map and no residual."""
    (row,) = [row for row in ROWS if row.key == "graph_map"]
    weights = {name.split(".")[0][0] for name, _ in Placement(4).named_parameters()}
    assert set(re.findall(r"W_(\w)", row.equation)) == weights == {"q", "k"}
    assert row.equation.startswith("z_E = sum_p a_p H_p, a = softmax(")
    h, nodes = torch.randn(3, 4), torch.randn(2, 5, 4)
    model = Placement(4)
    assert torch.equal(model(h, nodes), model.weights(h, nodes) @ nodes.flatten(0, 1))


def test_command_prints_one_mechanism_all_or_a_mistake() -> None:
    rows = json.loads(command("harness.mechanisms", "--json").stdout)
    assert {row["id"] for row in rows} == {row.id for row in ROWS}
    assert "sigmoid(w R_E)" in command("harness.mechanisms", "--id", "M12").stdout
    wrong = command("harness.mechanisms", "--id", "M99")
    assert wrong.returncode == 2
    assert "M01 to M43" in wrong.stderr
