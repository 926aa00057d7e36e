"""One optimiser step on the whole model: routes, phases, weight 0, streams, and what the reference may depend on."""

from typing import Any

import numpy as np
import pytest
import torch

from harness.trial.step.routing import WeightedTerm
from harness.trial.step.trainer import Trainer
from models.losses import LOSSES
from tests.harness.conftest import MakeUnit
from tests.models.rows import REACH

EVERY_TERM = {
    "energy.form": "interaction",
    "temperature.mode": "learned",
    "temperature.penalty": 0.3,
    "loss.ranking.weight": 0.5,
    "loss.speculation.weight": 0.5,
    "loss.contrastive.weight": 0.5,
    "loss.prototypes.weight": 0.5,
    "loss.sparsity.z_i": 0.1,
    "loss.sparsity.z_e": 0.1,
    "loss.sparsity.r": 0.1,
    "loss.sparsity.groups": 0.1,
    "loss.calibration.weight": 0.5,
    "loss.calibration.mean": 0.0,
    "loss.calibration.variance_high": 0.0001,
    "loss.calibration.variance_low": 0.0,
    "decouple.orthogonal": 0.5,
    "decouple.pearson": 0.5,
    "decouple.grl": 0.5,
    "decouple.infonce": 0.5,
    "decouple.club": 0.5,
    "decouple.hsic": 0.5,
    "decouple.conditional_grl": 0.5,
    "decouple.irm": 0.5,
    "decouple.vib": 0.01,
}


def measured(trainer: Trainer, batch: Any) -> tuple[list[WeightedTerm], Any]:
    _, boundary, step, *_ = trainer.measure(batch, warm=False)
    terms = []
    for term, weight in trainer.weighted:
        value, _ = term(step, trainer.states[term.key])
        terms.append(WeightedTerm(term.key, value, weight, term.reach, tuple(term.parameters())))
    return terms, boundary


def norms_by_group(trainer: Trainer, term: WeightedTerm, boundary: Any) -> dict[str, float]:
    found = trainer.router.gradients([term], boundary)
    groups = {g: set(members.values()) for g, members in trainer.model.groups().items()}
    groups["A"] = set(trainer.terms.parameters())
    return {
        group: sum(float(gradient.norm()) for p, gradient in found.items() if p in members)
        for group, members in groups.items()
    }


def test_every_term_is_built_and_reaches_exactly_its_groups(
    make_unit: MakeUnit,
) -> None:
    trainer = make_unit(EVERY_TERM).trainer
    steps = list(make_unit(EVERY_TERM, run="other").sampler.epoch(1))
    for batch in steps[:2]:  # the memory bank and the prototypes are empty at the first step
        trainer.step(batch, progress=0.0, probe=False)
    terms, boundary = measured(trainer, steps[2])
    switched = {term.key for term in LOSSES.terms().values() if term.weight in EVERY_TERM}
    assert {term.name for term in terms} == {"task"} | switched
    for term in terms:
        norms = norms_by_group(trainer, term, boundary)
        for group, norm in norms.items():
            if group not in REACH[term.name]:
                assert norm == 0.0, f"{term.name} reaches {group} with norm {norm}"
        assert sum(norms.values()) > 0.0 or term.name in ("prototypes", "speculation"), (
            f"{term.name} moves nothing"
        )


def test_shared_routing_lets_environment_terms_reach_sequence(make_unit: MakeUnit) -> None:
    trainer = make_unit({**EVERY_TERM, "routing": "shared"}).trainer
    batch = next(iter(make_unit(EVERY_TERM, run="other").sampler.epoch(1)))
    terms, boundary = measured(trainer, batch)
    pearson = next(term for term in terms if term.name == "pearson")
    assert norms_by_group(trainer, pearson, boundary)["S"] > 0.0


def test_reach_both_lets_light_terms_alone_reach_sequence(
    make_unit: MakeUnit,
) -> None:
    trainer = make_unit({**EVERY_TERM, "decouple.reach": "both"}).trainer
    batch = next(iter(make_unit(EVERY_TERM, run="other").sampler.epoch(1)))
    terms, boundary = measured(trainer, batch)
    reached = {term.name for term in terms if norms_by_group(trainer, term, boundary)["S"] > 0}
    assert {"orthogonal", "pearson", "infonce", "club", "hsic"} <= reached
    assert not reached & {"contrastive", "prototypes", "sparsity_z_e", "sparsity_r", "temperature"}


def test_phase_one_moves_the_sequence_side_and_scores_u(make_unit: MakeUnit) -> None:
    unit_run = make_unit({**EVERY_TERM, "curriculum.phase1_epochs": 1})
    trainer = unit_run.trainer
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters()}
    for batch in unit_run.sampler.epoch(1):
        log = trainer.step(batch, progress=0.5, probe=False)
    assert set(log.values) == {
        "task",
        "ranking",
        "speculation",
        "sparsity_z_i",
        "sparsity_groups",
        "calibration",
        "vib",
    }
    for group, members in trainer.model.groups().items():
        moved = any(not torch.equal(before[name], p.detach()) for name, p in members.items())
        assert moved == (group == "S"), group
    _, _, step, scores, _ = trainer.measure(batch, warm=True)
    assert torch.equal(step.logit, step.u)
    assert float(scores.r.abs().max()) == 0.0


@pytest.mark.parametrize("path", ["loss.contrastive.weight", "decouple.grl", "loss.ranking.weight"])
def test_weight_zero_is_exactly_the_same_as_leaving_it_out(make_unit: MakeUnit, path: str) -> None:
    plain, zero = make_unit(run="a").trainer, make_unit({path: 0.0}, run="b").trainer
    assert [t.key for t, _ in zero.weighted] == ["task"]
    for batch in make_unit(run="c").sampler.epoch(1):
        plain.step(batch, progress=0.0, probe=False)
        zero.step(batch, progress=0.0, probe=False)
    for a, b in zip(plain.parameters, zero.parameters, strict=True):
        assert torch.equal(a, b)


def test_a_mechanism_does_not_reshuffle_the_others(make_unit: MakeUnit) -> None:
    plain, rich = make_unit(run="a"), make_unit(EVERY_TERM, run="b")
    others = dict(rich.trainer.model.sequence.named_parameters())
    for name, one in plain.trainer.model.sequence.named_parameters():
        assert torch.equal(one, others[name]), name
    for a, b in zip(plain.sampler.epoch(2), rich.sampler.epoch(2), strict=True):
        assert np.array_equal(a.query, b.query)
        assert np.array_equal(a.support, b.support)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss.contrastive.weight": 2.0},
        {"decouple.pearson": 2.0},
        {"decouple.orthogonal": 2.0},
        {"decouple.grl": 2.0},
        {"decouple.infonce": 2.0},
        {"decouple.club": 2.0},
        {"decouple.hsic": 2.0},
        {"decouple.conditional_grl": 2.0},
        {"decouple.irm": 2.0},
        {"decouple.vib": 0.1},
        {"decouple.dual_stream": True},
        {"model.bottleneck": 3},
        {"loss.ranking.weight": 2.0},
        {"loss.ranking.weight": 2.0, "loss.ranking.surrogate": "smooth_ap"},
        {"loss.sparsity.z_i": 2.0},
        {"loss.sparsity.z_e": 2.0},
        {"energy.form": "gated"},
        {"energy.form": "interaction"},
        {"energy.form": "boosted_gate"},
        {"energy.form": "threshold_gate"},
        {"energy.form": "blocking"},
        {"energy.form": "binding"},
        {"loss.sparsity.groups": 2.0},
        {"temperature.mode": "learned"},
        {"temperature.mode": "per_cell"},
        {"environment.scope": "sample"},
        {"environment.encoder": "mean"},
        {"environment.encoder": "attention"},
        {"environment.encoder": "isab"},
        {"loss.task": "bce"},
        {"routing": "shared"},
        {"support.labels": True},
        {"model.encoder": "cbat"},
        {"model.encoder": "cross_attention"},
        {"model.share_sides": True},
        {"model.share_strands": True},
        {"model.self_attention_layers": 0},
        {"model.grid": 2},
        {"model.dropout": 0.0},
    ],
    ids=lambda changes: " ".join(f"{k}={v}" for k, v in changes.items()),
)
def test_what_is_configured_acts(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    """A few steps with the change end in other parameters: of those that both models have, at least one differs, and
    every parameter that only the changed model has was moved (one that starts neutral must not stay there)."""
    trained, initial = [], []
    for run, given in (("a", {}), ("b", changes)):
        unit_run = make_unit(given, run=run)
        model = unit_run.trainer.model
        initial.append({n: p.detach().clone() for n, p in model.named_parameters()})
        for batch in [*unit_run.sampler.epoch(1), *unit_run.sampler.epoch(2)]:
            unit_run.trainer.step(batch, progress=0.0, probe=False)
        trained.append({n: p.detach() for n, p in model.named_parameters()})
    plain, changed = trained
    common = [n for n in plain if n in changed and plain[n].shape == changed[n].shape]
    assert any(not torch.equal(plain[n], changed[n]) for n in common), "no common parameter differs"
    own = [n for n in changed if n not in plain or plain[n].shape != changed[n].shape]
    still = [n for n in own if torch.equal(initial[1][n], changed[n])]
    assert not still, f"not moved by training: {', '.join(still)}"


@pytest.mark.parametrize(
    "changes",
    [{"temperature.mode": "learned"}, {"temperature.mode": "per_cell"}, {"environment.scope": "sample"}],
    ids=str,
)
def test_neutral_start_changes_the_prediction_after_training(
    make_unit: MakeUnit, changes: dict[str, Any]
) -> None:
    unit_run = make_unit(changes)
    for batch in [*unit_run.sampler.epoch(1), *unit_run.sampler.epoch(2)]:
        unit_run.trainer.step(batch, progress=0.0, probe=False)
    with torch.no_grad():
        step = unit_run.trainer.measure(batch, warm=False).step
        neutral = step.u - step.r.mean(dim=1, keepdim=True)  # T = 1 and one R_E per episode
    assert float((step.logit - neutral).abs().max()) > 1e-5


def test_another_cell_lines_samples_never_change_an_environment(make_unit: MakeUnit) -> None:
    trainer = make_unit().trainer
    batch = next(iter(make_unit(run="other").sampler.epoch(1)))
    other = batch._replace(support=batch.support.copy())
    other.support[1] = other.support[2][::-1]
    with torch.no_grad():
        first, second = [trainer.measure(b, warm=False).step.z_e for b in (batch, other)]
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


def test_gradient_shares_are_logged_on_probe_steps(make_unit: MakeUnit) -> None:
    unit_run = make_unit(EVERY_TERM)
    for batch in unit_run.sampler.epoch(1):
        log = unit_run.trainer.step(batch, progress=0.0, probe=True)
    assert set(log.shares) == set(unit_run.trainer.terms)
    assert log.shares["task"][1] == pytest.approx(1.0)
    assert all(norm >= 0 for norm, _ in log.shares.values())
    assert log.shares["contrastive"][0] > 0
