"""An episode that hides the name of its cell line knows nothing that is remembered under that name."""

import torch

from harness.audit.twins import Twins
from harness.trial.step.trainer import Trainer
from models.environment.teacher import GradientTeacher

OTHER = 3.0
"""What is added to a remembered value: several times its usual spread."""


@torch.no_grad()
def leaking_name(twins: Twins) -> str:
    """Whether raw R_E of an episode without a name moves with its cell line's own running value, or with what a Teacher
    has of that line, in words; empty where it does not, and where the twins' step hides no name."""
    probe = twins.probe
    line, raw = _of_hidden(twins, probe.behind(patch=_every_line_met))
    if line < 0:
        return ""

    def other_value(trainer: Trainer) -> None:
        value = trainer.reference.r.clone()
        value[line] += OTHER
        trainer.reference = trainer.reference._replace(r=value)

    def other_teacher(trainer: Trainer) -> None:
        for module in trainer.model.modules():
            if isinstance(module, GradientTeacher):
                module.table.weight[line] += OTHER

    for change, what in ((other_value, "running R_E"), (other_teacher, "place in the Teacher's table")):
        other = probe.behind(patch=_every_line_met)
        change(other)
        if _of_hidden(twins, other) != (line, raw):
            return f"an episode that hides its cell line's name depends on that line's own {what}"
    return ""


def _every_line_met(trainer: Trainer) -> None:
    """What is known of a line counts from the first step on."""
    trainer.reference = trainer.reference._replace(seen=torch.ones_like(trainer.reference.seen))


def _of_hidden(twins: Twins, trainer: Trainer) -> tuple[int, float]:
    """Cell line and raw R_E of the first episode of the next step that hides its name; line -1 where there is none."""
    measured = trainer.measure(twins.probe.batch, warm=False)
    hidden, raw, cell = measured.hidden, measured.scores.r_raw, measured.step.cell
    if hidden is None or not hidden.any() or not raw.shape == cell.shape == hidden.shape:
        return -1, 0.0
    episode = int(hidden.nonzero()[0, 0])
    return int(cell[episode]), float(raw[episode])
