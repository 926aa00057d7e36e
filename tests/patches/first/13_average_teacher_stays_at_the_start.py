"""The `ema` Teacher is never moved: it answers with the Student's parameters from before the first step.

What the Student is fused with and distilled to is a network of random weights.
"""
PRESET = "rp13"
SET = {"environment.teacher.kind": "ema"}
import harness.trial.step.trainer as trainer


def after_step(memory, branches):
    return dict(memory)


trainer.after_step = after_step
