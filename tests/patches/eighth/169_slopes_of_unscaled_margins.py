"""The class margins of the task loss are adapted by the slopes of the plain logits and no longer of the scaled ones, of
which the loss consists. At a = 1/2, in the first step, the two are the same; after that a settles elsewhere, and what a
user takes for the balance of the two classes is not that of the loss."""

from models.losses.task import Immax

PRESET = "minimal"

following = Immax._next


def broken(self, a, u_positive, u_negative, positive):
    return following(self, a, u_positive * (2 * a), u_negative * (2 * (1 - a)), positive)


Immax._next = broken
