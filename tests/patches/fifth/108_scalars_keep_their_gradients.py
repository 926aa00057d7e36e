"""The gradients of T and of the energy's scalars are never set back to zero, so that from the second step on these
numbers are moved by the sum of all gradients so far: what a user reads off as the learned temperature is no minimum
of anything."""

from harness.trial.step.trainer import Trainer

PRESET = "rp24"

descend = Trainer._descend


def broken(self, gradients):
    kept = self.__dict__.setdefault("_kept", {})
    for parameter in self.model.groups()["G"].values():
        if parameter in gradients:
            kept[parameter] = gradients[parameter] + kept.get(parameter, 0.0)
            gradients = {**gradients, parameter: kept[parameter]}
    return descend(self, gradients)


Trainer._descend = broken
