"""In the interaction energy the product lam U_I R_E takes U_I without its gradient: the logit is right, but the sequence
side never learns that a resisting cell line amplifies what it says. A user who compares the form with the linear one
compares two energies that train the potential alike."""

from models.energy.dissipation import InteractionEnergy

PRESET = "rp24"


def broken(self, u, r, temperature):
    return (u - r + self.lam * u.detach() * r) / temperature


InteractionEnergy.forward = broken
