"""What a step makes only when a loss term asks for it, from what was measured; nothing here draws random numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.shallow import ShallowStatistics
from models.environment.memory import Memory
from models.environment.resistance import Reference, beside
from models.episode import Support
from models.prism import PrismModel, Scores
from models.scoring import Scored
from models.sequence.channels import output_channels
from models.stopped import stopped

Makers = dict[str, Callable[[], Any]]


def of_energy(model: PrismModel, u: Tensor, scores: Scores, *, shared: bool) -> Makers:
    """The energy as a function of R_E alone, with sg U_I unless routing is shared."""

    def energy_of() -> Callable[[Tensor], Tensor]:
        potential = u if shared else stopped(u)
        pair_part = stopped(scores.r - beside(scores.r_cell, scores.r))
        temperature = stopped(scores.temperature)
        return lambda r: model.energy(potential, r + pair_part, temperature)

    return {"energy_of": energy_of}


def of_sequence(model: PrismModel) -> Makers:
    """Output channels of the sequence side (M07)."""
    channels = cache(lambda: output_channels(model.sequence))
    return {"channel_norm": lambda: channels().norm, "channel_size": lambda: channels().size}


def of_support(
    statistics: ShallowStatistics | None, pairs: np.ndarray, u: Tensor, v: Tensor | None
) -> Makers:
    """Shallow statistics of the support pairs `pairs` [E, S], their U_I u [E, S] last, and features of the cell lines."""
    makers: Makers = {} if v is None else {"v": lambda: v}
    if statistics is not None:

        def shallow() -> Tensor:
            seen = torch.from_numpy(statistics.of(pairs)).to(u.device)
            return torch.cat([seen, u.detach().unsqueeze(-1)], -1)

        makers["shallow"] = shallow
    return makers


def of_environment(model: PrismModel, scored: Scored, reference: Reference) -> Makers:
    """v'_c from z_E (M21), and the log density of raw R_E (M28), where the model has a decoder and a prior."""
    makers: Makers = {}
    decoder = model.environment.decoder
    if decoder is not None:
        # A sum of gradients depends in its last bit on when their paths were begun: this one begins here, whoever asks.
        z_e = scored.scores.z_e.view_as(scored.scores.z_e)
        makers["v_decoded"] = lambda: decoder(z_e)
    if scored.environment.place is not None:
        makers["log_prior"] = lambda: model.environment.log_prior(
            scored.environment, scored.scores.r_raw, reference
        )
    return makers


def of_teacher(
    model: PrismModel,
    named: Support,
    r_teacher: Tensor | None,
    hidden: Tensor | None,
    reference: Reference,
    memory: Memory,
) -> Makers:
    """R_T and where it is a target, of the shape of `named.cell`: the earlier Teacher's in episodes without a name, the
    Teacher's elsewhere."""
    makers: Makers = {} if hidden is None else {"pseudo_unseen": lambda: hidden.float()}
    if r_teacher is None:
        return makers

    def known() -> Tensor:
        return (named.cell >= 0).float()

    if hidden is None:
        return {**makers, "r_teacher": lambda: r_teacher, "taught": known}
    hides = beside(hidden, named.cell)
    return {
        **makers,
        "r_teacher": lambda: r_teacher.where(
            ~hides, model.environment.earlier_resistance(named, memory, reference)
        ),
        "taught": lambda: known() * memory["ready"].where(hides, 1.0),
    }
