"""What the memory bank and the kinds of prototypes are for, shown on a trial and on data made for it."""

import pytest
import torch

from analysis.store import Run
from harness.trial.step.routing import WeightedTerm
from models.environment.set_encoders import SET_ENCODERS
from models.losses import LOSSES
from models.streams import initialise
from tests.harness.conftest import MakeUnit
from tests.models.steps import make_step


def contrastive_signal(make_unit: MakeUnit, *, forget: bool) -> list[tuple[float, float]]:
    """(value, gradient norm on the environment) of the contrastive term over two epochs of one-episode steps."""
    unit_run = make_unit(
        {
            "episode.sampler": "cell_batch",
            "episode.per_step": 1,
            "optimiser.steps_per_epoch": 6,
            "loss.contrastive.weight": 0.5,
            "loss.contrastive.bank": 32,
        },
        run="forget" if forget else "keep",
    )
    trainer, found = unit_run.trainer, []
    term = next(term for term, _ in trainer.weighted if term.key == "contrastive")
    for batch in [*unit_run.sampler.epoch(1), *unit_run.sampler.epoch(2)]:
        if forget:
            trainer.states["contrastive"] = term.initial_state()
        _, boundary, step, *_ = trainer.measure(batch, warm=False)
        value, _ = term(step, trainer.states["contrastive"])
        weighted = WeightedTerm("contrastive", value, 1.0, term.reach, ())
        gradients = trainer.router.gradients([weighted], boundary)
        found.append((float(value.detach()), sum(float(g.norm()) for g in gradients.values())))
        trainer.step(batch, progress=0.0, probe=False)
    return found


def test_under_cell_batch_only_the_bank_makes_cell_lines_meet(make_unit: MakeUnit) -> None:
    without = contrastive_signal(make_unit, forget=True)
    assert all(value == 0.0 and norm == 0.0 for value, norm in without), (
        "a step of one cell line has no negative"
    )
    kept = contrastive_signal(make_unit, forget=False)
    assert kept[0] == (0.0, 0.0), "the bank begins empty"
    acting = [(value, norm) for value, norm in kept if value > 0]
    assert len(acting) >= 6
    assert all(norm > 1e-4 for _, norm in acting)


def test_fill_and_age_of_what_is_remembered_are_in_the_store(make_unit: MakeUnit) -> None:
    changes = {"loss.contrastive.weight": 0.1, "loss.contrastive.bank": 16, "loss.prototypes.weight": 0.1}
    unit_run = make_unit(changes)
    for _ in range(2):
        unit_run.advance()
    reports = Run(unit_run.run.path).table("reports")
    assert reports["cell_line"].isna().all(), "of the whole bank, and of all prototypes"
    stored = reports.pivot_table(index="epoch", columns=["term", "name"], values="value")
    bank, prototypes = stored["contrastive"], stored["prototypes"]
    # Three steps of four rows an epoch: 12 of 16 places after the first, all after the second (steps 2 to 5).
    assert bank["bank_fill"].tolist() == [0.75, 1.0]
    assert bank["bank_age_mean"].tolist() == [1.0, 1.5]
    assert bank["bank_age_max"].tolist() == [2.0, 3.0]
    assert prototypes["prototype_age_max"].between(0, 2).all()
    assert (prototypes["prototype_age_mean"] <= prototypes["prototype_age_max"]).all()
    assert prototypes["acting_share"].between(0, 1).all()
    plain = make_unit(run="plain")
    plain.advance()
    assert Run(plain.run.path).table("reports").empty


def test_the_store_says_how_often_a_term_was_in_force_and_acted(make_unit: MakeUnit) -> None:
    changes = {"loss.prototypes.weight": 0.1, "loss.prototypes.radius": 100.0}
    unit_run = make_unit({**changes, "curriculum.phase1_epochs": 1, "curriculum.ramp_epochs": 1.0})
    for _ in range(3):
        unit_run.advance()
    terms = Run(unit_run.run.path).table("terms").set_index("epoch")
    idle, task = (terms[terms["term"] == name] for name in ("prototypes", "task"))
    # Phase 2 begins with the second of three epochs of three steps, and its ramp at 0.
    assert idle["in_force"].tolist() == pytest.approx([0, 2 / 3, 1])
    assert idle["acting"].tolist() == [0, 0, 0]
    assert task[["in_force", "acting"]].to_numpy().tolist() == [[1, 1]] * 3
    assert set(idle["weight_key"]) == {"loss.prototypes.weight"}
    assert [finding.evidence for finding in unit_run.findings() if finding.rule == "never_acted"] == [
        "1 of 2 configured loss terms never acted; value and gradient 0 in every epoch in force: prototypes"
    ]


def trained(kind: str, **own: float) -> tuple[torch.Tensor, torch.Tensor]:
    """z_E [C, V, w] before and after AdamW has trained a set encoder on one prototype term alone.

    Data made for it: C = 4 cell lines whose support sets differ by a shift of one feature, in V = 6 contexts that
    shift another feature in every cell line alike. A collapse takes the contexts from z_E.
    """
    source = torch.Generator().manual_seed(0)
    lines, contexts = torch.meshgrid(torch.linspace(-2, 2, 4), torch.linspace(-1, 1, 6), indexing="ij")
    encoder = SET_ENCODERS.build("moments", inputs=3, width=4)
    initialise(encoder, 2)
    term = LOSSES.build(f"prototypes_{kind}", cell_lines=4, width=4, **own)
    state, optimiser = (
        term.initial_state(),
        torch.optim.AdamW(encoder.parameters(), lr=0.01, weight_decay=0.01, fused=True),
    )

    def support(noise: float) -> torch.Tensor:
        x = noise * torch.randn(24, 16, 3, generator=source)
        return x + torch.stack([lines.flatten(), contexts.flatten(), torch.zeros(24)], 1).unsqueeze(1)

    cell, held = torch.arange(4).repeat_interleave(6), support(0.1)
    with torch.no_grad():
        before = encoder(held)
    for index in range(200):
        value, state = term(make_step(z_e=encoder(support(0.1)), cell=cell, index=index), state)
        optimiser.zero_grad()
        if value.requires_grad:
            value.backward()
        optimiser.step()
    with torch.no_grad():
        return before.view(4, 6, 4), encoder(held).view(4, 6, 4)


def within(z: torch.Tensor) -> float:
    """Root mean square distance of z_E from the mean of its cell line."""
    return float((z - z.mean(1, keepdim=True)).square().sum(-1).mean().sqrt())


def between(z: torch.Tensor) -> float:
    """The same of the cell lines' means from their mean."""
    means = z.mean(1)
    return float((means - means.mean(0)).square().sum(-1).mean().sqrt())


def test_only_prototypes_that_only_pull_collapse() -> None:
    before, pulled = trained("pull")
    assert within(pulled) < 0.1 * within(before), (
        "the documented pull leaves no difference within a cell line"
    )
    radius = 0.6 * within(before)
    _, hinged = trained("hinged", radius=radius)
    assert 0.3 * radius < within(hinged) < within(before), "pulled towards the radius, and no further"
    assert within(hinged) > 4 * within(pulled)
    _, contrasted = trained("contrastive", tau=0.2)
    assert between(contrasted) > 5 * between(before) > 5 * between(pulled), "cell lines are driven apart"
    assert within(contrasted) > within(before)
