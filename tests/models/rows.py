"""Loss terms by the key of their row, with the arguments that a default configuration gives them."""

from typing import Any

from harness.config.blocks.trial import ConfigurationBlock
from models.losses import LOSSES, LossTerm
from models.sizes import Sizes
from models.streams import initialise
from tests.definitions_table import DEFINITIONS

REACH = {term.key: DEFINITIONS[row].reach for row, term in LOSSES.terms().items()}
"""Key of a term -> groups that the definitions let it move, unless a setting adds some."""
SIZES = Sizes(cell_lines=4, features=5, width=3, statistics=6)
"""Of the steps that `tests.models.steps` makes."""
SMALLER: dict[str, dict[str, Any]] = {
    "contrastive": {"bank": 7},
    **{key: {"bank": 40} for key in ("orthogonal", "pearson", "infonce", "club", "hsic")},
    "ranking_pairwise": {"max_pairs": 5},
}
"""So that a few steps fill what is to be filled, and pairs have to be sampled."""


def build_row(key: str, **more: Any) -> LossTerm:
    """The term in float64 and initialised, as a configuration builds it."""
    arguments = LOSSES.terms()[key].arguments(ConfigurationBlock().model_dump(), SIZES)
    term: LossTerm = LOSSES.build(key, **{**arguments, **SMALLER.get(key, {}), **more}).double()
    initialise(term, 0)
    return term
