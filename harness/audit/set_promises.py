"""What a set encoder that averages promises: a set that stands twice gives the same z_E, and every pair of it counts."""

from dataclasses import replace

import torch

from harness.audit.finding import MechanismFinding
from harness.audit.neutral import members
from harness.audit.reading import ROUNDING
from harness.audit.twins import Twins
from models.environment.student import SupportEnvironment
from models.episode import Support

NEAR = 1e-4
"""Difference, relative to 1 + size, that the order of a sum may make."""
COLUMNS = ("z_i", "u", "label", "labelled")


@torch.no_grad()
def broken_sets(twins: Twins, *, elements: bool) -> list[MechanismFinding]:
    """A finding where the Student's set encoder declares that it averages, and gives another z_E for a set whose pairs all
    stand twice, or the same one with another pair in a place. `elements`: each place is asked for, which a trained
    attention may have learned to pass over."""
    for _, source in members(twins.trainer, SupportEnvironment):
        assert isinstance(source, SupportEnvironment)
        encoder, support = source.encoder, twins.reading.supports[0].at_least_float32()
        if not encoder.averages:
            continue
        base, name = source(support), type(encoder).__name__
        twice = source(replace(support, **{n: torch.cat([vars(support)[n]] * 2, 1) for n in COLUMNS}))
        if bool(((twice - base).abs() > NEAR * (1 + base.abs())).any()):
            return [
                _finding(
                    "leaking",
                    f"z_E depends on how often a set of pairs stands in a support set: {name} averages",
                )
            ]
        for place in range(support.u.shape[1] if elements else 0):
            if float((source(_other(support, place)) - base).abs().max()) <= ROUNDING * float(
                base.abs().max()
            ):
                text = f"{name} passes over pair {place} of a support set: with another one there z_E is the same"
                return [_finding("inert", text)]
    return []


def _other(support: Support, place: int) -> Support:
    """The support set with another pair in one place."""
    z_i, u = support.z_i.clone(), support.u.clone()
    z_i[:, place], u[:, place] = 1 - z_i[:, place], 1 - u[:, place]
    return replace(support, z_i=z_i, u=u)


def _finding(verdict: str, text: str) -> MechanismFinding:
    return MechanismFinding("-", "support", verdict, text, "input")
