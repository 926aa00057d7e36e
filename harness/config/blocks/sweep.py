"""The blocks of a sweep's YAML beside its space: what is run, how it is searched, and with what."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from harness.config.blocks.block import Block
from harness.config.blocks.data import DataBlock
from harness.config.blocks.design import Design, DesignBlock, Designed, designs
from harness.config.blocks.registered import VariantBlock, choice

Objective = Literal[
    "val_unseen/macro/aupr",
    "val_unseen/pooled/aupr",
    "val_unseen/macro/nll",
    "val_unseen/pooled/nll",
]
"""split/level/metric of the corrected score: macro = mean over cell lines, pooled = all pairs together."""
Beside = Literal[
    Objective,
    "val_unseen/macro/ece",
    "val_unseen/pooled/ece",
    "val_unseen/macro/brier",
    "val_unseen/pooled/brier",
]
"""What a search may weigh against its objective: the same, and two errors of calibration."""

LARGEST_SEED = 2**31 - 1
"""The store keeps the seeds of units as 32-bit whole numbers."""
LARGEST_SAMPLER_SEED = 2**63 - 1
MOST_GPUS = 64
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
    share_prefix: bool = True
    """Phase 1 of the curriculum is trained once by configurations that it reads alike, and taken over by the others, bit
    by bit. What comes out is the same."""
    replicates: Literal["separate", "stacked"] = "separate"
    """stacked: the seeds of a trial train as one stack, with one pass of their sequence sides per step: faster on a GPU,
    where a step is many small operations, and the same to the rounding of float32. Phase 1 is not shared then."""

    @model_validator(mode="after")
    def _distinct(self) -> "TrialBlock":
        if isinstance(self.seeds, list) and len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"trial.seeds names a seed twice: {self.seeds}")
        if self.replicates == "stacked" and len(self.seed_list) == 1:
            raise ValueError(
                "trial.replicates: stacked stacks the seeds of a trial, and trial.seeds gives one"
            )
        return self

    @property
    def seed_list(self) -> list[int]:
        """The seeds themselves."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)


class SamplerBlock(Block):
    """What proposes the next configuration of a search."""

    kind: Literal["tpe", "random", "qmc", "nsga2"] = "tpe"
    """tpe: models what did well, of at most 120 configurations, the best and the last; random; qmc: numbers spread evenly
    (scrambled Sobol), names drawn at random; nsga2: a population, for several objectives at once."""
    seed: int = Field(0, ge=0, le=LARGEST_SAMPLER_SEED)
    startup: int = Field(8, ge=1)
    """Random configurations before TPE models the space (read by tpe)."""
    population: int = Field(8, ge=2, le=10_000)
    """Configurations of a generation (read by nsga2)."""
    beside: list[Beside] = Field(default_factory=list)
    """What is weighed against the objective, measured on the weights that the objective selects (nsga2 alone)."""

    @model_validator(mode="after")
    def _several(self) -> "SamplerBlock":
        for key, kind in (("startup", "tpe"), ("population", "nsga2"), ("beside", "nsga2")):
            if key in self.model_fields_set and self.kind != kind:
                raise ValueError(f"sampler.{key} is read by sampler.kind: {kind}, and it is {self.kind}")
        if self.kind == "nsga2" and not self.beside:
            raise ValueError(
                "sampler.kind: nsga2 weighs several objectives: name them in sampler.beside, such as val_unseen/pooled/nll"
            )
        if len(set(self.beside)) < len(self.beside):
            raise ValueError(f"sampler.beside names an objective twice: {', '.join(self.beside)}")
        return self


class SchedulerBlock(VariantBlock):
    """How configurations are stopped early."""

    path: ClassVar[str] = "scheduler.kind"
    kind: str

    def words(self) -> str:
        """What a person reads of it in a line of facts."""
        settings = [f"{name} {value:g}" for name, value in self.model_dump(exclude={"kind"}).items()]
        return self.kind + (f" ({', '.join(settings)})" if settings else "")


@choice("scheduler.kind")
class AshaSchedulerBlock(SchedulerBlock):
    """Asynchronous successive halving: stops the worst configurations early, on all folds and seeds."""

    kind: Literal["asha"] = "asha"
    grace: int = Field(2, ge=1)
    """Epochs that every configuration gets."""
    reduction: float = Field(3.0, gt=1.0, le=100.0)
    """One configuration in `reduction` goes on at each rung."""


@choice("scheduler.kind")
class MedianSchedulerBlock(SchedulerBlock):
    """Median stopping: stops configurations that are worse than the median of the others, on all folds and seeds."""

    kind: Literal["median"]
    grace: int = Field(2, ge=1)
    """Epochs that every configuration gets."""
    startup: int = Field(3, ge=1)
    """Other configurations that have come to an epoch before one is judged there."""


@choice("scheduler.kind")
class NoSchedulerBlock(SchedulerBlock):
    """Every configuration runs to its last epoch."""

    kind: Literal["none"]


class ResourcesBlock(Block):
    """What one trial may use: a configuration on one fold, whose seeds run in one worker."""

    cpus_per_trial: float = Field(1.0, gt=0.0, le=1024.0)
    gpus_per_trial: float | None = Field(None, ge=0.0, le=float(MOST_GPUS))
    """Share of a GPU; 0.25 where there is a GPU and 0 elsewhere when absent."""
    concurrent: int | None = Field(None, ge=1, le=100_000)
    """Largest number of trials at once; as many as fit when absent."""


class ScreenBlock(Block):
    """A screen on cached features, and full training of what it promotes, in one sweep."""

    screen: int = Field(ge=2, le=MOST_TRIALS)
    """Configurations that are trained on the cached features of a frozen sequence side."""
    promote: int = Field(ge=1, le=MOST_TRIALS)
    """The best of them, which are then trained in full."""

    @model_validator(mode="after")
    def _fewer(self) -> "ScreenBlock":
        if self.promote >= self.screen:
            raise ValueError(
                f"fidelity.promote is {self.promote} and fidelity.screen {self.screen}: expected fewer to promote "
                "than to screen"
            )
        return self


Fidelity = Annotated[
    Annotated[Literal["full", "cached"], Tag("word")] | Annotated[ScreenBlock, Tag("block")],
    Discriminator(lambda value: "block" if isinstance(value, Mapping | ScreenBlock) else "word"),
]


class SweepBlock(Block):
    """A sweep as its YAML gives it; `space` and `set` are checked against the typed configuration after it."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run's folder: letters, digits, dot, dash and underscore."""
    question: str = Field("", max_length=2000)
    """What the sweep asks, written into the run before its first step; the comment at the YAML's top when absent."""
    rope: float = Field(0.005, gt=0.0)
    """Differences of the objective up to this size are no effect (region of practical equivalence), preregistered too."""
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
    fidelity: Fidelity = "full"
    """full: every configuration trains everything. cached: the sequence side of the base is trained once per fold and seed
    and frozen, and configurations train what comes after z_I on its features. A block `{screen: N, promote: k}`: N
    cached ones, then the k best of them in full (docs/screening.md)."""
    design: Annotated[DesignBlock, Designed()] = DesignBlock(kind="search")
    """search: the sampler proposes `trials` configurations; grid: every combination of the space once; leave_one_out,
    add_one_in, factorial, path: ablations (docs/designs.md). A name, or a block with the name as `kind`."""
    sampler: SamplerBlock = SamplerBlock()
    scheduler: SchedulerBlock = AshaSchedulerBlock()
    """How configurations are stopped early; none unless given under every design but search."""
    objective: Objective = "val_unseen/macro/aupr"
    """What a search optimises and a scheduler compares: mean over seeds, then over folds."""
    stop: list[str] = Field(default_factory=list)
    """Warning rules that end a unit as soon as they hold; what that saved is said at the end."""
    resources: ResourcesBlock = ResourcesBlock()
    enqueue: list[dict[str, Any]] = Field(default_factory=list)
    """Known configurations that a search runs first: values of the space, laid over the base's."""
    track: list[str] = Field(default_factory=list)
    """Trackers that get every configuration as it ends, below RUN/export: csv, tensorboard, mlflow, trackio, wandb."""
    trials: int | None = Field(None, ge=1, le=MOST_TRIALS)
    """Configurations of a search, each on its folds and seeds; 16 when absent. A grid has its own number."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Scheduler and folds of the design where none are asked for; an `asha` need not be named."""
        if not isinstance(data, dict):
            return data
        name = design_name(data)
        if name in designs():
            sampler = data.get("sampler")
            several = isinstance(sampler, Mapping) and sampler.get("kind") == "nsga2"
            data = {"scheduler": {"kind": "none" if several else designs()[name].scheduler}, **data}
            if isinstance(data.get("data"), dict):
                data = {**data, "data": {"folds": designs()[name].folds, **data["data"]}}
        if isinstance(data.get("scheduler"), dict):
            data = {**data, "scheduler": {"kind": "asha", **data["scheduler"]}}
        return data

    @model_validator(mode="after")
    def _combinations(self) -> "SweepBlock":
        """Refuse what would be given and could not act."""
        design = self.of_design
        for key in design.idle:
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} has no meaning under design: {design.name}, which {design.runs}")
        needs = design.needs(self.space)
        if needs:
            raise ValueError(f"design: {design.name} {needs}")
        if self.sampler.beside and not isinstance(self.scheduler, NoSchedulerBlock):
            raise ValueError(
                f"scheduler.kind: {self.scheduler.kind} ends configurations by one objective, and sampler.beside weighs "
                "several: leave scheduler out"
            )
        if self.objective in self.sampler.beside:
            raise ValueError(f"sampler.beside names {self.objective}, which is the objective already")
        if design.ablates and not isinstance(self.scheduler, NoSchedulerBlock):
            raise ValueError(
                f"scheduler.kind: {self.scheduler.kind} ends some arms earlier than others, and design: {design.name} "
                "compares arms that are trained alike: leave scheduler out"
            )
        return self

    @property
    def of_design(self) -> Design:
        """The design itself."""
        return designs()[self.design.kind]

    @property
    def seeds(self) -> list[int]:
        """Seeds of every configuration."""
        return self.trial.seed_list

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Which way the objective is better."""
        return "minimize" if self.objective.endswith("/nll") else "maximize"


def design_name(data: Mapping[str, Any]) -> str:
    """Name of the design of a sweep's data that are not validated yet; empty where it is no word."""
    chosen = data.get("design", SweepBlock.model_fields["design"].default.kind)
    name = chosen.get("kind") if isinstance(chosen, Mapping) else chosen
    return name if isinstance(name, str) else ""
