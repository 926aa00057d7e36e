"""The metrics at the end of a trial are those of the mean logit over all support draws, not of the prediction, which is
draw 0: an ensemble of five support sets is reported as what one gives. Rows of the epochs, with one draw, are as they
should be; a user finds final metrics that the stored predictions do not have."""

from harness.trial.score import evaluate

PRESET = "minimal"


def broken(split, name):
    return split.u if name == "u_only" else split.logits.mean(0)


evaluate._score = broken
