"""What dropout keeps is not divided by the share that is kept: in evaluation every unit is on and speaks 1 / 0.65
times as loud as it did in training, so that the reported scores are those of a network that nobody has trained."""

from models.streams import Dropout

PRESET = "rp04"


def broken(self, x, noise):
    if noise is None or self.p == 0.0:
        return x
    if not self.stream:
        raise RuntimeError("Dropout has no stream name: call name_streams on the finished model")
    return x * noise.mask(self.stream, x, 1.0 - self.p)


Dropout.forward = broken
