"""When each loss term acts: the curriculum (M43) and the balance of weights (M42) where it changes with time."""

from harness.config.blocks.training import BalanceBlock, CurriculumBlock
from models.declared import POSITIVE, declare

PHASE1_TERMS = frozenset(
    {"task", "ranking", "speculation", "sparsity_z_i", "sparsity_groups", "calibration", "vib"}
)
"""Terms of the sequence side alone; every other term waits for phase 2."""


class Schedule:
    """Weight of a term at a moment: 0 in phase 1 unless it is of the sequence side; then `weight`, and with a ramp
    (`curriculum.ramp_epochs`, or balance `ramp`) `weight * min(1, epochs since phase 2 began / ramp epochs)`, which is
    the weight that the balance is given. The task never ramps, nor do the other terms of the sequence side when a phase
    1 has trained with them already.
    """

    def __init__(self, curriculum: CurriculumBlock, balance: BalanceBlock) -> None:
        self.phase1_epochs = curriculum.phase1_epochs
        self.ramp = balance.epochs if balance.kind == "ramp" else curriculum.ramp_epochs

    def phase(self, epoch: int) -> int:
        """1 or 2, of a 1-based epoch."""
        return 1 if epoch <= self.phase1_epochs else 2

    def factor(self, term: str, progress: float) -> float:
        """Factor in [0, 1] on the configured weight after `progress` epochs of training (0 at the start)."""
        if progress < self.phase1_epochs:
            return float(term in PHASE1_TERMS)
        if term == "task" or self.ramp == 0.0:
            return 1.0
        if term in PHASE1_TERMS and self.phase1_epochs > 0:
            return 1.0
        return min(1.0, (progress - self.phase1_epochs) / self.ramp)


declare(
    "M43", "curriculum_ramp", kind="ramp", name="weights that rise under any balance",
    when={"curriculum.ramp_epochs": POSITIVE},
    equation="w_i(t) = w_i min(1, epochs of phase 2 / ramp), which the balance is given in the place of w_i",
    shapes="epoch -> weights", source="seed 003", off={"curriculum.ramp_epochs": 0.0},
)  # fmt: skip
declare(
    "M43", "curriculum", kind="curriculum", name="sequence side first",
    when={"curriculum.phase1_epochs": POSITIVE},
    equation="phase 1: l = U_I, T = 1, R_E = 0, environment frozen; phase 2: all", shapes="epoch -> phase",
    source="seed 003", off={"curriculum.phase1_epochs": 0},
)  # fmt: skip
