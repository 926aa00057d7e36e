"""The intact matrix covers what it says, and a share of it is run here: nobody is accused of what nobody has broken."""

import json
from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.space.compose import SEARCH_SPACES
from harness.mechanisms.registered import registries
from tests.intact import __main__ as command
from tests.intact.covering import MOST, fits, pairs_of, possible_pairs
from tests.intact.factors import ENERGIES, FACTORS, configuration
from tests.intact.run import Data, Outcome, run

SHARE = ("energy-gated-sample", "pairs-68")
"""Rows that are run here, a gate per sample and a projection of gradients; all of them by python -m tests.intact."""


def test_the_list_has_every_preset_energy_scope_and_pair() -> None:
    rows = command.matrix()
    assert len({row["name"] for row in rows}) == len(rows)
    presets = {file.stem for file in (SEARCH_SPACES / "presets").glob("*.yaml")}
    assert {row["preset"] for row in rows if "preset" in row} == presets
    scopes = {(energy, scope) for energy in ENERGIES for scope in ("cell", "sample")} - {
        ("binding", "sample")
    }
    assert {(row["energy"], row["scope"]) for row in rows if "energy" in row} == scopes
    array = [row for row in rows if "encoder" in row]
    assert len(array) <= MOST
    assert set().union(*map(pairs_of, array)) == possible_pairs()
    assert all(map(fits, rows))


def test_the_factors_have_every_registered_row() -> None:
    known = registries()
    assert set(ENERGIES) == set(known["energy form"].keys())
    of_factors = {
        "sampler": "sampler", "encoder": "encoder", "temperature": "temperature mode", "balance": "balance",
    }  # fmt: skip
    for factor, kind in of_factors.items():
        assert set(FACTORS[factor]) == set(known[kind].keys())
    environments = {*known["set encoder"].keys(), *known["environment source"].keys(), "none"} - {"support"}
    assert set(FACTORS["environment"]) == environments


@pytest.mark.parametrize("name", SHARE)
def test_nobody_is_accused_of_what_nobody_broke(name: str, tmp_path: Path) -> None:
    (row,) = command.chosen([name])
    outcome = run(row, Data(tmp_path / "cache"), tmp_path / "run")
    assert outcome.clean, outcome


def test_real_pairs_that_are_not_there_are_skipped_with_a_reason(tmp_path: Path) -> None:
    row = next(row for row in command.matrix() if row.get("data") == "real")
    outcome = run(row, Data(tmp_path, tmp_path / "nowhere"), tmp_path)
    assert (outcome.status, outcome.clean, outcome.guilty) == ("skipped", False, False)
    assert "nowhere has no pairs.parquet" in outcome.reason


def test_a_report_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def quick(row: dict[str, str], data: Data, folder: Path) -> Outcome:
        ran.append(row["name"])
        accused = ("M10 gated inert: it does nothing",) if row["name"].endswith("sample") else ()
        return Outcome(row["name"], configuration(row).id, "done", "", accused, 0.1)

    monkeypatch.setattr(command, "run", quick)
    report = tmp_path / "report.jsonl"
    assert command.main(["--only", "energy-gated-cell", "--report", str(report)]) == 0
    with report.open("a", encoding="utf-8") as stream:
        stream.write('{"name": "energy-ga')  # a start that was killed
    assert command.main(["--only", "energy-gated", "--report", str(report)]) == 1
    assert ran == ["energy-gated-cell", "energy-gated-sample"]
    head, *lines = map(json.loads, report.read_text(encoding="utf-8").splitlines())
    assert [line["name"] for line in lines] == ran
    report.write_text(json.dumps({**head, "code": "other"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="is of code other"):
        command.main(["--only", "energy-gated", "--report", str(report)])
    with pytest.raises(UserError, match="did you mean 'energy-gated-"):
        command.chosen(["energy-gatd"])
