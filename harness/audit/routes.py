"""Whether a loss term moves what its class does not declare to reach."""

from harness.audit.probe import ProbeStep
from harness.trial.step.routing import EVERYTHING
from harness.trial.step.trainer import Trainer
from models.losses.term import LossTerm


def allowed(term: LossTerm, trainer: Trainer) -> frozenset[str]:
    """Groups that the term's class declares to reach under the trainer's settings; all of them under shared routing."""
    return EVERYTHING if trainer.router.shared else type(term).reach_in(trainer.config.model_dump())


def group_of(trainer: Trainer, term: str) -> dict[str, str]:
    """Name of a parameter -> its group, `A` for the term's own and `another term's` for those of the other terms."""
    groups = {name: group for group, members in trainer.model.groups().items() for name in members}
    for name, _ in trainer.terms.named_parameters():
        groups[f"terms.{name}"] = "A" if name.startswith(f"{term}.") else "another term's"
    return groups


def leaks(term: LossTerm, trainer: Trainer, with_it: ProbeStep, without: ProbeStep) -> dict[str, float]:
    """Group -> largest change of a gradient there by a term that may not reach it; empty when it keeps its route.

    Exact: the gradients of parameters that a term does not reach are the same bits with and without it. Not so under
    pcgrad, which draws the order of projections anew for another number of terms.
    """
    if trainer.config.balance.kind == "pcgrad":
        return {}
    groups, may = group_of(trainer, term.key), allowed(term, trainer)
    gaps: dict[str, float] = {}
    for name, group in groups.items():
        a, b = with_it.gradients.get(name), without.gradients.get(name)
        if group in may or (a is None and b is None) or (group == "A" and "A" in may):
            continue
        one, other = (a, b) if a is not None else (b, a)
        assert one is not None
        gap = float((one if other is None else one - other).abs().max())
        if gap > 0.0 and not (group == "A" and b is None and float(one.abs().max()) == 0.0):
            gaps[group] = max(gap, gaps.get(group, 0.0))
    return gaps
