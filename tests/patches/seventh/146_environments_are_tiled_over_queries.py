"""z_E of the queries is tiled where it should be repeated: query q of every episode gets z_E of episode q mod E in
place of its own episode's. Decoupling terms lower the dependence of pairs that do not belong together, and the
measured dependence of z_I and z_E is near that of chance: a scientist concludes that the two are decoupled."""

from models.episode import Step

PRESET = "rp22"

right = Step.z_e_of_queries


def broken(self):
    if self.owner is not None:
        return right(self)
    episodes, queries = self.u.shape
    return self.z_e.repeat(queries, 1).view(episodes, queries, -1)


Step.z_e_of_queries = broken
