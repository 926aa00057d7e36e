"""A promise of sampler or predictor that was not kept."""

from typing import NamedTuple


class Breach(NamedTuple):
    """The promise's name, whose it was (sampler, support or prediction), and what is wrong."""

    promise: str
    of: str
    sentence: str
