"""In the last step of every epoch, the one whose gradients are probed, the running values of the training cell lines are
not carried on: the reference that R_E is standardised with in the evaluation right after it is one step old. A user
compares gates of cell lines with a mean that was not there when the weights were."""

from harness.trial.step.trainer import Trainer

PRESET = "rp25"

end = Trainer.end


def broken(self, begun, norm, norms, shares):
    before = self.reference
    log = end(self, begun, norm, norms, shares)
    if shares is not None:
        self.reference = before
    return log


Trainer.end = broken
