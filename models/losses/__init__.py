"""Loss terms (M30 to M36, M39): small modules with an equation, a reach and an explicit state."""

from models.losses.build import build_terms
from models.losses.term import LOSSES, LossTerm

__all__ = ["LOSSES", "LossTerm", "build_terms"]
