"""The earlier Teacher is frozen at the first epoch and never again, and is therefore never ready.

It should be frozen anew as each epoch begins. The check whether there is one already takes any epoch for the present
one: episodes that hide their name (episode.pseudo_unseen) have no distillation target for the whole of the training.
"""
import harness.trial.step.trainer as trainer

PRESET = "rp13"
SET = {"loss.distillation.weight": 1.0}

_at_epoch = trainer.at_epoch


def at_epoch(memory, branches, epoch):
    if "earlier_epoch" not in memory or int(memory["earlier_epoch"]):
        return dict(memory)
    return _at_epoch(memory, branches, epoch)


trainer.at_epoch = at_epoch
