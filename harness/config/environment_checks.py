"""What an environment side is configured for and could not do: sentences that a configuration is refused with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.config.environment import SupportEnvironment

if TYPE_CHECKING:
    from harness.config.trial import TrialConfig


def environment_faults(config: "TrialConfig") -> Iterator[str]:
    """One sentence per mechanism of the environment side that is switched on and could not act."""
    environment = config.environment
    teacher = environment.teacher.kind if isinstance(environment, SupportEnvironment) else "none"
    distilled, hidden = config.loss.distillation.weight > 0, config.episode.pseudo_unseen > 0
    if teacher == "none":
        if distilled:
            yield "loss.distillation.weight needs a Teacher: set environment.teacher.kind to gradient or ema"
        if hidden:
            yield (
                "episode.pseudo_unseen hides a cell line's name from its Teacher, and environment.teacher.kind is none"
            )
        return
    assert isinstance(environment, SupportEnvironment)
    alpha = environment.fusion.alpha
    if alpha == 0 and teacher == "gradient":
        yield (
            "environment.fusion.alpha: 0 leaves a Teacher by gradient without any gradient: it would stay as initialised"
        )
    if alpha == 0 and not distilled:
        yield (
            "environment.fusion.alpha: 0 without loss.distillation.weight leaves the Teacher without any effect"
        )
    if alpha == 1 and not distilled and not hidden:
        yield (
            "environment.fusion.alpha: 1 leaves the Student, which answers for unseen cell lines, without a gradient: "
            "give loss.distillation.weight or episode.pseudo_unseen, or lower alpha"
        )
