"""How far z_I and z_E of a step still depend on each other, measured beside training and by another estimator."""

import torch

from analysis.independence import measure, other_than
from harness.config.blocks.loss import DecoupleBlock
from models.episode import Step

PERMUTATIONS = 99
MOST = 256
"""Query samples that are compared, and shuffles of their pairing: about 0.1 s."""


@torch.no_grad()
def dependence(step: Step, decouple: DecoupleBlock) -> dict[str, float]:
    """`dependence` in [0, 1] and its p against a permutation null, columns of `epochs`, for a step's query samples.

    z_E of a sample is that of its environment. By HSIC, and by distance correlation where `decouple.hsic` is what
    training lowers. A p below 0.05 says that z_I of these cell lines is not distributed alike, given what z_E tells
    apart; a larger one does not certify independence (analysis.independence). Values that are not finite give NaN.
    """
    z_i = step.z_i.flatten(0, 1).double().cpu().numpy()
    z_e = step.z_e_of_queries().flatten(0, 1).double().cpu().numpy()
    found = measure(
        z_i,
        z_e,
        estimator=other_than(decouple.acting()),
        permutations=PERMUTATIONS,
        most=MOST,
        seed=step.index,
    )
    return {"dependence": found.value, "dependence_p": found.p}
