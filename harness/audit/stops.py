"""Where a definition stops a gradient (sg) outside of the loss terms, none flows: each promise on one measured step."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from harness.audit.finding import MechanismFinding
from harness.audit.twins import Twins
from harness.trial.step.measure import Measured, Sides
from harness.trial.step.trainer import Trainer
from models.environment.cell_environment import CellEnvironment
from models.environment.resistance import Reference

NEAR = 1e-4
"""Size of a gradient, relative to what it is compared with, that rounding leaves."""


def open_stops(twins: Twins) -> list[MechanismFinding]:
    """A finding per gradient that flows where the definitions stop it; none where there is no environment."""
    trainer = twins.trainer
    if not isinstance(trainer.model.environment, CellEnvironment):
        return []
    sides = twins.probe.sides
    support = sides.support._replace(u=_leaf(sides.support.u), stream=_leaf(sides.support.stream))
    reference = Reference(*(_leaf(part) for part in trainer.reference))
    parts = (trainer.draws, trainer.index, reference, trainer.memory)
    measured = trainer.measuring(twins.probe.batch, *parts, warm=False, sides=Sides(support, sides.query))
    said = [
        *_of_inputs(trainer, measured, (support.u, support.stream), reference),
        *_of_energy(trainer, measured),
        *_of_level(trainer, measured),
        *_of_prior(measured),
        *_of_edges(trainer.model.environment),
    ]
    return [MechanismFinding("-", "gradient", "leaking", text, "route") for text in said]


def _of_inputs(
    trainer: Trainer, measured: Measured, support: Iterable[Tensor], reference: Reference
) -> Iterator[str]:
    """sg(support features) under isolated routing; sg z_I in R_E; no gradient to the running values."""
    scores, leaves = measured.scores, measured.boundary.leaves[:2]
    made = [part for part in (scores.r, scores.temperature, scores.z_e) if part is not None]
    if not trainer.router.shared and _reaches([*made, scores.logit], support):
        yield "R_E carries a gradient to the features of the support pairs, which isolated routing stops"
    if _reaches(made, leaves):
        yield "R_E or T carries a gradient to U_I or z_I of the query pairs, which its definition stops"
    if _reaches([*made, scores.logit], reference):
        yield "R_E carries a gradient to the running values of the cell lines"


def _of_energy(trainer: Trainer, measured: Measured) -> Iterator[str]:
    """The energy as a function of R_E alone: sg of everything else, of U_I unless routing is shared."""
    if "energy_of" not in measured.step.makers:
        return
    model, leaves = trainer.model, measured.boundary.leaves
    logit = measured.step.energy_of(_leaf(measured.step.u[:, :1]))
    fixed = [*model.environment.parameters(), *model.temperature.parameters()]
    if _reaches([logit], [*fixed, *(() if trainer.router.shared else leaves[:1])]):
        yield "the energy as a function of R_E alone carries a gradient to U_I, T or the pairs' part of R_E"


def _of_level(trainer: Trainer, measured: Measured) -> Iterator[str]:
    """A standardised R_E is heard without the gradient of the level that the episodes of a step have in common."""
    scores = measured.scores
    if not trainer.model.energy.standardise_resistance:
        return
    for heard, plain in ((scores.r_heard, scores.r_student), (scores.r, scores.r_cell)):
        if len(plain) < 2 or not plain.requires_grad:
            continue
        slope = torch.autograd.grad(heard.sum(), plain, retain_graph=True, allow_unused=True)[0]
        if slope is not None and float(slope.abs().max()) > NEAR * heard.numel():
            yield "R_E is heard with the gradient of the level that the episodes of a step have in common"
            return


def _of_prior(measured: Measured) -> Iterator[str]:
    """The Gaussian-process density has a gradient through raw R_E alone, none through where a cell line lies."""
    z_e, raw = measured.scores.z_e, measured.scores.r_raw
    if "log_prior" not in measured.step.makers or not z_e.requires_grad or not raw.requires_grad:
        return
    density = measured.step.log_prior
    (slope,) = torch.autograd.grad(density, raw, retain_graph=True)
    (whole,) = torch.autograd.grad(density, z_e, retain_graph=True)
    (through,) = torch.autograd.grad(raw, z_e, grad_outputs=slope, retain_graph=True)
    if float((whole - through).norm()) > NEAR + 10 * NEAR * float(through.norm()):
        yield "the density of R_E carries a gradient to z_E beside that through raw R_E"


def _of_edges(environment: CellEnvironment) -> Iterator[str]:
    if environment.graph is not None and environment.graph.adjacency().requires_grad:
        yield "the edges of the prototype graph carry a gradient to the prototypes"


def _leaf(values: Tensor) -> Tensor:
    return values.detach().clone().requires_grad_()


def _reaches(made: Iterable[Tensor], inputs: Iterable[Tensor]) -> bool:
    """Whether the gradient of any of `made` is not 0 on some of `inputs`."""
    sums = [part.sum() for part in made if part.requires_grad]
    wanted = [each for each in inputs if each.requires_grad]
    if not sums or not wanted:
        return False
    gradients = torch.autograd.grad(torch.stack(sums).sum(), wanted, retain_graph=True, allow_unused=True)
    return any(part is not None and bool(part.any()) for part in gradients)
