"""AdamW is given one decay for both of its moments, 0.9 instead of 0.9 and 0.999: the scale of a parameter's step
follows the last ten gradients. What is written up as AdamW with the usual settings is another optimiser, with
noisier steps, and learning rates found with it do not carry over."""

import harness.trial.step.trainer as trainer
from harness.trial.step.optimiser import PlainAdamW

PRESET = "rp09"


class OneDecay(PlainAdamW):
    def __init__(self, params, **settings):
        super().__init__(params, **{**settings, "betas": (0.9, 0.9)})


trainer.PlainAdamW = OneDecay
