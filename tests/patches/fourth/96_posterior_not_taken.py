"""The Gaussian process does not extrapolate: unseen cell lines keep the R_E of their own z_E under extrapolate: posterior.

The posterior is computed and stored in the embeddings, and the resistance never gets it.
"""
PRESET = "minimal"
SET = {"environment.prior.extrapolate": "posterior"}
from models.environment.cell_environment import CellEnvironment


def resist(self, environment, z_i, reference):
    return self.resistance(
        environment.z_e,
        z_i,
        reference,
        teacher=environment.teacher,
        owner=environment.owner,
    )


CellEnvironment.resist = resist
