"""The information bottleneck draws one vector of noise per step and adds it to every pair of the step, since the sample
axis is broadcast. Differences between pairs stay exact, so that a ranking is learned through a channel without noise,
while the price in nats is reported as if there were some."""

from models.streams import GaussianNoise

PRESET = "complete"


def broken(self, mu, sigma, noise):
    if noise is None:
        return mu
    return mu + sigma * noise.normal(self.stream, mu[:1])


GaussianNoise.forward = broken
