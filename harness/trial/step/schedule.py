"""When each loss term acts: the curriculum (M43) and the balance of weights (M42) where it changes with time."""

from harness.config.blocks.training import BalanceBlock, CurriculumBlock, RampBalance

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
        self.ramp = balance.epochs if isinstance(balance, RampBalance) else curriculum.ramp_epochs

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
