"""When each loss term acts: the curriculum (M43) and the balance of weights (M42) where it changes with time."""

from typing import TYPE_CHECKING

from harness.config.blocks.training import BalanceBlock, CurriculumBlock, RampBalanceBlock
from models.declared import POSITIVE, declare
from models.registry import TRAINING

if TYPE_CHECKING:  # a driver looks phases up and needs no torch
    from models.losses import LossTerm


class Schedule:
    """Weight of a term at a moment: 0 in phase 1 unless it trains there (`in_phase1`); then `weight`, and with a ramp
    (`curriculum.ramp_epochs`, or balance `ramp`) `weight * min(1, epochs since phase 2 began / ramp epochs)`, which is
    the weight that the balance gets. A term with `ramps` False, or one that phase 1 trained already, acts in full.
    """

    def __init__(self, curriculum: CurriculumBlock, balance: BalanceBlock) -> None:
        self.phase1_epochs = curriculum.phase1_epochs
        self.ramp = balance.epochs if isinstance(balance, RampBalanceBlock) else curriculum.ramp_epochs

    def phase(self, epoch: int) -> int:
        """1 or 2, of a 1-based epoch."""
        return 1 if epoch <= self.phase1_epochs else 2

    def factor(self, term: "LossTerm | type[LossTerm]", progress: float) -> float:
        """Factor in [0, 1] on the configured weight after `progress` epochs of training (0 at the start)."""
        if progress < self.phase1_epochs:
            return float(term.in_phase1)
        if not term.ramps or self.ramp == 0.0:
            return 1.0
        if term.in_phase1 and self.phase1_epochs > 0:
            return 1.0
        return min(1.0, (progress - self.phase1_epochs) / self.ramp)


declare(
    "M43", "curriculum_ramp", kind="ramp", name="weights that rise under any balance",
    when={"curriculum.ramp_epochs": POSITIVE},
    equation="w_i(t) = w_i min(1, epochs of phase 2 / ramp), which the balance is given in the place of w_i",
    shapes="epoch -> weights", source="source document 003", off={"curriculum.ramp_epochs": 0.0},
    acts=TRAINING, reads=frozenset({"epoch"}),
)  # fmt: skip
declare(
    "M43", "curriculum", kind="curriculum", name="sequence side first",
    when={"curriculum.phase1_epochs": POSITIVE},
    equation="phase 1: l = U_I, T = 1, R_E = 0, environment frozen; phase 2: all", shapes="epoch -> phase",
    source="source document 003", off={"curriculum.phase1_epochs": 0},
    acts=TRAINING, reads=frozenset({"epoch"}),
)  # fmt: skip
