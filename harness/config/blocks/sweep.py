"""The blocks of a sweep's YAML beside its space: what is run, how it is searched, and with what."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.config.blocks.block import Block
from harness.config.blocks.data import DataBlock
from harness.config.blocks.design import Design, designs
from harness.config.blocks.registered import Names, VariantBlock, choice

Objective = Literal[
    "val_unseen/macro/aupr",
    "val_unseen/pooled/aupr",
    "val_unseen/macro/nll",
    "val_unseen/pooled/nll",
]
"""split/level/metric of the corrected score: macro = mean over cell lines, pooled = all pairs together."""

LARGEST_SEED = 2**63 - 1
"""The store keeps seeds as 64-bit whole numbers."""
MOST_TRIALS = 1_000_000


class TrialBlock(Block):
    """What every configuration runs."""

    epochs: int | None = Field(None, ge=1, le=10000)
    """Epochs of every unit (sets optimiser.epochs); the preset's own when absent."""
    seeds: (
        Annotated[int, Field(ge=1, le=1000)]
        | Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]], Field(min_length=1)]
    ) = 5
    """Seeds, the same for every configuration: a count (0, 1, ...) or a list."""
    budget: int | None = Field(None, ge=1)
    """Optimiser steps of one unit, shared out evenly over its epochs (sets optimiser.steps_per_epoch);
    every training pair once per epoch when absent."""

    @model_validator(mode="after")
    def _distinct(self) -> "TrialBlock":
        if isinstance(self.seeds, list) and len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"trial.seeds names a seed twice: {self.seeds}")
        return self

    @property
    def seed_list(self) -> list[int]:
        """The seeds themselves."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)


class SamplerBlock(Block):
    """What proposes the next configuration of a search."""

    kind: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    startup: int = Field(8, ge=1)
    """Random configurations before TPE models the space (read by tpe)."""


class SchedulerBlock(VariantBlock):
    """How configurations are stopped early."""

    path: ClassVar[str] = "scheduler.kind"
    kind: str


@choice("scheduler.kind")
class AshaSchedulerBlock(SchedulerBlock):
    """Asynchronous successive halving: stops the worst configurations early, all seeds in lockstep."""

    kind: Literal["asha"] = "asha"
    grace: int = Field(2, ge=1)
    """Epochs that every configuration gets."""
    reduction: float = Field(3.0, gt=1.0, le=100.0)
    """One configuration in `reduction` goes on at each rung."""


@choice("scheduler.kind")
class NoSchedulerBlock(SchedulerBlock):
    """Every configuration runs to its last epoch."""

    kind: Literal["none"]


class ResourcesBlock(Block):
    """What one configuration may use. All its folds and seeds run in one worker."""

    cpus_per_trial: float = Field(1.0, gt=0.0, le=1024.0)
    gpus_per_trial: float | None = Field(None, ge=0.0, le=64.0)
    """Share of a GPU; 0.25 where there is a GPU and 0 elsewhere when absent."""
    concurrent: int | None = Field(None, ge=1, le=100_000)
    """Largest number of configurations at once; as many as fit when absent."""


class SweepBlock(Block):
    """A sweep as its YAML gives it; `space` and `set` are checked against the typed configuration after it."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run's folder: letters, digits, dot, dash and underscore."""
    base: str = Field(min_length=1)
    """Preset that every configuration starts from (search_spaces/presets/NAME.yaml)."""
    data: DataBlock
    use: list[str] = Field(default_factory=list)
    """Python files beside the YAML that register what is a person's own: loss terms, energies, designs, ..."""
    trial: TrialBlock = TrialBlock()
    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> value, laid over the preset for every configuration."""
    space: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> its distribution."""
    design: Annotated[str, Names(lambda: designs().keys())] = "search"
    """search: the sampler proposes `trials` configurations; grid: every combination of the space once."""
    sampler: SamplerBlock = SamplerBlock()
    scheduler: SchedulerBlock = AshaSchedulerBlock()
    """How configurations are stopped early; under design: grid none unless given."""
    objective: Objective = "val_unseen/macro/aupr"
    """What a search optimises and ASHA compares, mean over units."""
    stop: list[str] = Field(default_factory=list)
    """Warning rules that end a unit as soon as they hold."""
    resources: ResourcesBlock = ResourcesBlock()
    track: list[str] = Field(default_factory=list)
    """Trackers that get every configuration as it ends, below RUN/export: csv, tensorboard, mlflow, trackio, wandb."""
    trials: int | None = Field(None, ge=1, le=MOST_TRIALS)
    """Configurations of a search, each on its folds and seeds; 16 when absent. A grid has its own number."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """The scheduler of the design where none is asked for; an `asha` need not be named."""
        if not isinstance(data, dict):
            return data
        name = data.get("design", cls.model_fields["design"].default)
        if isinstance(name, str) and name in designs():
            data = {"scheduler": {"kind": designs()[name].scheduler}, **data}
        if isinstance(data.get("scheduler"), dict):
            data = {**data, "scheduler": {"kind": "asha", **data["scheduler"]}}
        return data

    @model_validator(mode="after")
    def _combinations(self) -> "SweepBlock":
        """Refuse what would be given and could not act."""
        design = self.of_design
        for key in design.idle:
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} has no meaning under design: {self.design}, which {design.runs}")
        needs = design.needs(self.space)
        if needs:
            raise ValueError(f"design: {self.design} {needs}")
        return self

    @property
    def of_design(self) -> Design:
        """The design itself."""
        return designs()[self.design]

    @property
    def seeds(self) -> list[int]:
        """Seeds of every configuration."""
        return self.trial.seed_list

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Which way the objective is better."""
        return "minimize" if self.objective.endswith("/nll") else "maximize"
