"""The audit of a trial: no intact mechanism is accused, broken ones are, training stays the same, and it is cheap."""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from harness.audit.finding import FATAL, MechanismFinding, fault, lines, summary
from harness.audit.fingerprint import Fingerprint
from harness.audit.judge import Judge
from harness.audit.keys import enabled, others, unread_keys
from harness.audit.probe import Probe
from harness.audit.settings import changed, value_at
from harness.mechanisms.alone import alone
from harness.mechanisms.catalogue import catalogue
from harness.trial.step.schedule import Schedule
from models.losses.contrastive import Contrastive
from models.losses.regularisers import SparsityZi
from tests.audited import accused, audited
from tests.harness.conftest import MakeUnit

ROWS = {row.key: row for row in catalogue() if row.cls is not None}
EVERYTHING: dict[str, Any] = {
    "energy.form": "interaction",
    "temperature.mode": "learned",
    "temperature.penalty": 0.3,
    "loss.ranking.weight": 0.5,
    "loss.contrastive.weight": 0.5,
    "loss.prototypes.weight": 0.5,
    "loss.sparsity.z_e": 0.1,
    "loss.calibration.weight": 0.5,
    "decouple.pearson": 0.5,
    "decouple.grl": 0.5,
    "curriculum.phase1_epochs": 1,
    "balance.kind": "ramp",
}


@pytest.mark.parametrize(
    "changes",
    [{}, EVERYTHING, {"energy.form": "gated", "environment.scope": "sample"}, {"environment.source": "none"}],
    ids=["plain", "phase 1 and a ramp", "sample scope", "no environment"],
)
def test_no_intact_mechanism_is_accused_before_training(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    found, cost = audited(make_unit(changes))
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
    assert cost > 0.0
    if changes == EVERYTHING:
        assert {"M35 contrastive", "M36 prototypes_hinged", "M43 curriculum", "M33 grl"} <= set(found)
        assert found["M35 contrastive"].verdict == "active"
        assert found["M11 interaction"].verdict == "rank-invariant"
    if "environment.scope" in changes:
        assert found["M12 gated"].verdict == "active"


def test_waiting_competition_with_its_keys_is_not_accused(make_unit: MakeUnit) -> None:
    unit_run = make_unit(alone(ROWS["competition"]))
    with torch.random.fork_rng(devices=[]):
        probe = Probe(unit_run.subject)
        assert unread_keys(probe, "loss.competition") == {}


@pytest.mark.parametrize("share", [0.02, 0.9])
def test_rarely_or_mostly_hidden_names_are_not_accused(make_unit: MakeUnit, share: float) -> None:
    unit_run = make_unit({**alone(ROWS["competition"]), "episode.pseudo_unseen": share})
    for _ in range(2):
        found, _ = audited(unit_run, first=False)
        assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
        verdicts = {name: f.verdict for name, f in found.items()}
        assert verdicts["M29 pseudo_unseen"] == verdicts["M27 opportunist"] == "active"
        assert verdicts["M38 competition"] == "idle", "there is no shortcut yet"
        unit_run.trainer.index += 1


@pytest.mark.parametrize("extra", [{}, alone(ROWS["competition"])], ids=["plain", "competition"])
def test_one_episode_per_step_is_no_reason_to_accuse(make_unit: MakeUnit, extra: dict[str, Any]) -> None:
    found, cost = audited(make_unit({**extra, "episode.per_step": 1}))
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
    assert cost > 0.0


def test_a_weight_that_a_projection_absorbs_is_used(make_unit: MakeUnit) -> None:
    learned = {"temperature.mode": "learned", "temperature.penalty": 0.1, "energy.form": "linear"}
    assert accused(make_unit({**learned, "balance.kind": "pcgrad"})) == {}


@pytest.mark.parametrize("key", ["id", "ema", "calibrated"])
def test_the_same_mechanisms_are_not_accused_when_intact(make_unit: MakeUnit, key: str) -> None:
    found, _ = audited(make_unit(alone(ROWS[key])))
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
    assert f"{ROWS[key].id} {key}" in found


def test_strict_stops_before_the_first_step_and_warn_goes_on(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SparsityZi.forward

    def cut(self: SparsityZi, *arguments: Any) -> tuple[Tensor, Any]:
        value, state = forward(self, *arguments)
        return value.detach(), state

    monkeypatch.setattr(SparsityZi, "forward", cut)
    changes = {"loss.sparsity.z_i": 0.5, "optimiser.epochs": 1}
    unit_run = make_unit({**changes, "audit": "strict"}, run="strict")
    unit_run.advance()
    assert (unit_run.status, unit_run.trainer.index) == ("stopped", 0)
    assert "M39 sparsity_z_i is inert" in unit_run.row["reason"]
    row = pq.read_table(tmp_path / "strict" / "units").to_pandas().iloc[0]
    assert (row.status, row.reason) == ("stopped", unit_run.row["reason"])
    assert make_unit({**changes, "audit": "strict"}, run="strict").finished
    lenient = make_unit({**changes, "audit": "warn"}, run="warn")
    lenient.advance()
    assert lenient.status == "done"
    table = pq.read_table(tmp_path / "warn" / "audit").to_pandas()
    assert set(table[table.mechanism == "sparsity_z_i"].verdict) == {"inert", "broken"}, (
        "twins and real steps say so"
    )


def test_an_audit_changes_no_result_and_survives_a_resume(make_unit: MakeUnit, tmp_path: Path) -> None:
    changes = {"loss.contrastive.weight": 0.5, "optimiser.epochs": 2}
    for run, mode in (("off", "off"), ("on", "strict")):
        unit_run = make_unit({**changes, "audit": mode}, run=run)
        unit_run.advance()
        make_unit({**changes, "audit": mode}, run=run).advance()
    off, on = (
        pq.read_table(tmp_path / run / "cells").to_pandas().drop(columns="config") for run in ("off", "on")
    )
    pd.testing.assert_frame_equal(off, on, check_exact=True)
    table = pq.read_table(tmp_path / "on" / "audit").to_pandas()
    assert set(table.moment) == {"first", "last"}
    of_twins = table[table.id != "-"]
    assert (of_twins.cost_steps > 0).all()
    said = lines(table.to_dict("records"))
    assert said["first"] == "14 mechanisms: 13 active, 1 rank-invariant"
    assert not (tmp_path / "off" / "audit").exists()


def test_contrastive_relations_are_judged_by_leaving_them_out(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit({})
    names = [unit_run.dataset.cell_lines[code] for code in unit_run.codes]
    rows = [{"a": a, "b": b, "weight": 0.9} for a, b in itertools.combinations(names, 2)]
    changes = {"loss.contrastive.weight": 0.5, "loss.contrastive.relations": rows}
    unit_run = make_unit(changes)
    row = next(row for row in catalogue() if row.key == "contrastive_relations")
    assert row.configured(unit_run.config.model_dump())
    assert not row.configured(make_unit({"loss.contrastive.weight": 0.5}).config.model_dump())

    def verdict() -> str:
        with torch.random.fork_rng(devices=[]):
            probe = Probe(unit_run.subject)
            return Judge(probe, weights=False).judge(row).verdict

    assert verdict() == "active"
    monkeypatch.setattr(Contrastive, "_weighed", lambda self, similarity, anchor, candidate: similarity)
    assert verdict() == "inert", "the weights are given and not used"


def test_a_key_that_nothing_reads_is_named(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {f"loss.{key}.weight": 0.5 for key in ("speculation", "contrastive", "calibration")}
    unit_run = make_unit(weights)
    with torch.random.fork_rng(devices=[]):
        probe = Probe(unit_run.subject)
        assert unread_keys(probe, "loss.", judged=weights) == {}
        from models.losses.speculation import Speculation

        init = Speculation.__init__
        monkeypatch.setattr(
            Speculation, "__init__", lambda self, margin=0.0, prior=1.0: init(self, 0.0, prior)
        )
        assert set(unread_keys(probe, "loss.", judged=weights)) == {"loss.speculation.margin"}


def test_no_term_reads_the_keys_of_another(make_unit: MakeUnit) -> None:
    settings = {
        **alone(ROWS["competition"]),
        **{
            f"loss.{key}.weight": 0.5
            for key in ("ranking", "speculation", "contrastive", "prototypes", "calibration")
        },
    }
    unit_run = make_unit(settings)
    with torch.random.fork_rng(devices=[]):
        probe = Probe(unit_run.subject)
        base = Fingerprint(probe, probe.summed, "behind")
        keys: dict[str, dict[str, Any]] = {}
        for path, leaf in enabled(probe.summed):
            block, term, *rest = path.split(".")
            if block == "loss" and rest and term in base.terms() and rest != ["weight"]:
                keys.setdefault(term, {})[path] = others(leaf, value_at(probe.summed, path))[0]
        assert len(keys) == 6
        for term, changes in keys.items():
            twin = Fingerprint(probe, changed(probe.summed, changes), "behind")
            assert base.terms_apart(twin, base.terms()) == {term}


def test_a_ramp_that_rises_nowhere_is_inert(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"balance.kind": "ramp", "loss.contrastive.weight": 0.5}
    monkeypatch.setattr(Schedule, "factor", lambda self, term, progress: 1.0)
    found, _ = audited(make_unit(changes), first=False)
    assert found["M42 ramp"].verdict == "inert"


def test_sentences() -> None:
    active = MechanismFinding("M12", "gated", "active", "")
    dead = MechanismFinding("M33", "pearson", "inert", "no gradient")
    assert summary([active, dead]) == "2 mechanisms: 1 active, 1 inert"
    assert fault([active]) is None
    rows = [finding.row("last", 3.0) for finding in (active, dead)]
    assert lines(rows) == {"last": "2 mechanisms: 1 active, 1 inert\n  M33 pearson is inert: no gradient"}
    assert fault([active, dead]) == "audit: M33 pearson is inert: no gradient"
    broken = MechanismFinding("-", "sampler", "broken", "mixed", "contract")
    assert summary([active, broken]) == "1 mechanisms: 1 active; beside them 1 broken"
    assert summary([broken]) == "beside the mechanisms 1 broken"
    assert fault([broken]) == "audit: sampler is broken (contract): mixed"
