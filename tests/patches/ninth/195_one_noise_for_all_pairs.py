"""The information bottleneck draws one noise vector per step and adds it to all pairs alike. A common shift can be undone
by what follows, so that the channel is far less noisy than its price says: a user pays for a bottleneck that lets
differences between pairs through."""

from models.streams import GaussianNoise

PRESET = "complete"

forward = GaussianNoise.forward


def broken(self, mu, sigma, noise):
    if noise is None:
        return forward(self, mu, sigma, noise)
    return mu + sigma * noise.normal(self.stream, mu[:1])


GaussianNoise.forward = broken
