"""Clones that begin behind the sequence side: what it gave once stands in its place, as parameters."""

import torch
from torch import nn

from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.draws import Draws
from harness.trial.step.measure import Measure, Measured, Sides
from harness.trial.step.on_demand import of_sequence
from harness.trial.step.routing import Router
from harness.trial.step.trainer import Trainer
from models.environment.memory import Memory
from models.environment.resistance import Reference
from models.part import ModelPart
from models.sequence.potential import SequenceOutput


class GivenSides(ModelPart):
    """What the sequence side gave for support and query pairs of a batch, every tensor a parameter of group S: a gradient
    that would go on into the sequence side arrives here."""

    group = "S"

    def __init__(self, sides: Sides) -> None:
        super().__init__()
        for side, output in sides._asdict().items():
            for name, value in output._asdict().items():
                self.register_parameter(f"{side}_{name}", nn.Parameter(value.detach().clone()))

    @torch.no_grad()
    def load(self, sides: Sides) -> None:
        """Stand for other sides of the same shapes."""
        for mine, other in zip(self.sides(), sides, strict=True):
            for parameter, value in zip(mine, other, strict=True):
                parameter.copy_(value)

    def sides(self) -> Sides:
        """The same tensors again, as the parameters are now."""
        outputs = (
            SequenceOutput(*(self.get_parameter(f"{side}_{name}") for name in SequenceOutput._fields))
            for side in Sides._fields
        )
        return Sides(*outputs)


class MeasureLike(Measure):
    """Measures steps as another one does."""

    def __init__(self, like: Measure) -> None:
        super().__init__(
            like.model,
            like.dataset,
            v=like.v,
            statistics=like.statistics,
            shared=like.shared,
            seed=like.seed,
            device=like.device,
        )


class KeptSides(MeasureLike):
    """Keeps what the sequence side gave for the last step that was measured (`kept`; None before any)."""

    def __init__(self, like: Measure) -> None:
        super().__init__(like)
        self.like = like
        self.kept: Sides | None = None

    def __call__(
        self,
        batch: EpisodeBatch,
        draws: Draws,
        index: int,
        reference: Reference,
        memory: Memory,
        *,
        warm: bool,
        sides: Sides | None = None,
    ) -> Measured:
        self.kept = sides or self.like.sides(batch, draws, index)
        return self.like(batch, draws, index, reference, memory, warm=warm, sides=self.kept)


class GivenMeasure(MeasureLike):
    """Measures steps of the one batch whose sequence side is `stand_in`."""

    def __init__(self, like: Measure, stand_in: GivenSides) -> None:
        super().__init__(like)
        self.stand_in = stand_in

    def sides(self, batch: EpisodeBatch, draws: Draws, index: int) -> Sides:
        return self.stand_in.sides()


def begin_behind(trainer: Trainer, sides: Sides, *, reads: bool) -> None:
    """Have the trainer measure its next step from `sides`. The parameters of its sequence side leave the optimiser, unless
    a loss term of the trial `reads` them themselves."""
    model, stand_in = trainer.model, GivenSides(sides)
    left: set[nn.Parameter] = set() if reads else set(model.sequence.parameters())
    model.add_module("given", stand_in)
    groups = {
        group: {f"{number}": p for number, p in enumerate(members) if p not in left}
        for group, members in trainer.router.groups.items()
    }
    groups[stand_in.group] |= dict(stand_in.named_parameters())
    trainer.router = Router(groups, trainer.config.routing)
    trainer.measuring = GivenMeasure(trainer.measuring, stand_in)
    trainer.parameters = [*(p for p in trainer.parameters if p not in left), *stand_in.parameters()]
    for group in trainer.optimiser.param_groups:
        group["params"] = [p for p in group["params"] if p not in left]
    trainer.optimiser.add_param_group({"params": list(stand_in.parameters()), "weight_decay": 0.0})


def given_sides(trainer: Trainer) -> GivenSides | None:
    """What stands for the trainer's sequence side; None where it runs."""
    return trainer.measuring.stand_in if isinstance(trainer.measuring, GivenMeasure) else None


def reads_parameters(trainer: Trainer) -> bool:
    """Whether a loss term reads parameters of the sequence side themselves."""
    made = of_sequence(trainer.model).keys()
    return any(term.reads & made for term, _ in trainer.weighted)


def same_sequence(one: ConfigurationBlock, other: ConfigurationBlock) -> bool:
    """Whether the two have the same sequence side."""
    return _of_sequence(one) == _of_sequence(other)


def _of_sequence(config: ConfigurationBlock) -> tuple[object, ...]:
    decouple = config.decouple
    width = config.model_dump()["environment"].get("width") if decouple.dual_stream else None
    return config.model, decouple.vib > 0, decouple.dual_stream, width
