"""The first evaluation switches dropout off and nothing switches it on again, as with a `model.eval()` that no
`model.train()` follows: from the second epoch on the network trains without the regularisation that is configured and
reported. The first epoch is as it should be."""

from harness.trial.evaluation import Evaluation

PRESET = "rp24"

of_epoch = Evaluation.of_epoch


def broken(self, epoch):
    rows = of_epoch(self, epoch)
    self.trainer.draws.noise = lambda index: None
    return rows


Evaluation.of_epoch = broken
