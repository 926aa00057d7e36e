"""Support -> environment -> score: the one way from support and query sets to logits, in training, prediction and audit."""

from typing import NamedTuple

from torch import Tensor

from models.environment.base import EnvironmentOutput
from models.environment.memory import Memory
from models.environment.resistance import Reference
from models.episode import Support
from models.prism import PrismModel, Scores


class Scored(NamedTuple):
    """Output of the environment for the support sets, and scores of the query sets."""

    environment: EnvironmentOutput
    scores: Scores


def score_queries(
    model: PrismModel,
    support: Support,
    u: Tensor,
    z_i: Tensor,
    reference: Reference,
    memory: Memory,
    *,
    warm: bool,
    calibration: Tensor | None = None,
) -> Scored:
    """l(x, c) of query pairs u [E, Q], z_i [E, Q, d] in the environments of E support sets.

    `reference` and `memory` are the model's explicit states; `warm` is phase 1 of the curriculum (l = U_I);
    `calibration` [] multiplies T. NaN passes through. Raises ValueError for support sets without what the environment
    reads of them.
    """
    environment = model.environment_of(support, memory)
    scores = model.score(u, z_i, environment, reference, warm=warm, calibration=calibration)
    return Scored(environment, scores)
