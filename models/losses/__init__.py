"""Loss terms (M30 to M36, M39): small modules with an equation, declarations and an explicit state."""

from models.losses.build import build_terms, sequence_alone, weighted_classes
from models.losses.registry import LOSSES
from models.losses.term import LossTerm
from models.registry import discover

__all__ = ["LOSSES", "LossTerm", "build_terms", "sequence_alone", "weighted_classes"]

discover("models.losses")
