"""The optimiser is Adam with an L2 penalty in the place of AdamW: the decay is added to the gradients, and the second
moment divides it away where gradients are large and blows it up where they are small. The weight decay that a user
configures and reports has another meaning for every parameter."""

from harness.trial.step.trainer import Trainer

PRESET = "minimal"

begin = Trainer.__init__


def broken(self, *arguments, **named):
    begin(self, *arguments, **named)
    for group in self.optimiser.param_groups:
        group["decoupled_weight_decay"] = False


Trainer.__init__ = broken
