"""The typed configuration of one trial: everything that a preset sets and a space may vary."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.config.blocks.block import Before, Block
from harness.config.blocks.environment import EnvironmentBlock, SupportEnvironmentBlock
from harness.config.blocks.environment_checks import (
    extrapolation_faults,
    graph_faults,
    scope_faults,
    source_faults,
    teacher_faults,
)
from harness.config.blocks.loss import RANKING_TAU, DecoupleBlock, LossBlock
from harness.config.blocks.model import (
    EnergyBlock,
    FixedTemperatureBlock,
    LinearEnergyBlock,
    ModelBlock,
    TemperatureBlock,
)
from harness.config.blocks.model_checks import stream_faults, width_faults
from harness.config.blocks.needs import beside_the_task, placebo_faults, switched_on, term_faults
from harness.config.blocks.training import (
    BalanceBlock,
    CurriculumBlock,
    EpisodeBlock,
    EvaluationBlock,
    FixedBalanceBlock,
    OptimiserBlock,
    PredictBlock,
    SupportBlock,
)
from harness.config.blocks.training_checks import (
    balance_faults,
    limit_faults,
    loss_faults,
    phase_faults,
    prediction_faults,
)

SIZES: dict[str, dict[str, int]] = {
    "small": {"embedding": 16, "kernel": 11, "width": 32, "enhancer_bp": 400, "promoter_bp": 1600},
    "documented": {"embedding": 768, "kernel": 43, "width": 64, "enhancer_bp": 1000, "promoter_bp": 4000},
}


class ConfigurationBlock(Block):
    """One configuration. Its identity is the hash of its resolved content."""

    model: ModelBlock = ModelBlock()
    energy: EnergyBlock = LinearEnergyBlock()
    temperature: TemperatureBlock = FixedTemperatureBlock()
    environment: EnvironmentBlock = SupportEnvironmentBlock()
    support: SupportBlock = SupportBlock()
    episode: EpisodeBlock = EpisodeBlock()
    loss: LossBlock = Field(default_factory=LossBlock)
    decouple: DecoupleBlock = Field(default_factory=DecoupleBlock)
    routing: Literal["isolated", "shared"] = "isolated"
    """isolated: every loss reaches only its parameter groups; shared: the documented entanglement (M41)."""
    balance: BalanceBlock = FixedBalanceBlock()
    curriculum: CurriculumBlock = CurriculumBlock()
    optimiser: OptimiserBlock = OptimiserBlock()
    evaluation: EvaluationBlock = EvaluationBlock()
    predict: PredictBlock = PredictBlock()
    audit: Literal["strict", "warn", "off"] = "strict"
    """strict: a mechanism that is inert or leaking, or a broken contract, stops the trial; warn: it is only reported."""
    streams: Annotated[str, Before("")] = Field("", max_length=40, pattern="^[A-Za-z0-9._-]*$")
    """A word in the names of all random streams: the same configuration under other random numbers (A/A placebo)."""
    frozen: Annotated[str, Before("")] = Field("", max_length=40, pattern="^[0-9a-f]*$")
    """Identity of the configuration whose trained sequence side is frozen here, so that what comes after z_I alone
    trains, on cached features (fidelity of a sweep, which sets it); empty: the sequence side trains as well."""
    permuted: Annotated[list[str], Before([])] = Field(default_factory=list)
    """Mechanisms that see one of their inputs in random order: placebos of equal capacity."""
    limits: dict[str, float] = Field(default_factory=dict)
    """Limits of warning rules by rule id, in place of the documented ones."""

    @model_validator(mode="after")
    def _possible(self) -> "ConfigurationBlock":
        """Refuse what would be configured and could not act."""
        for fault in self.faults():
            raise ValueError(fault)
        return self

    def faults(self) -> Iterator[str]:
        """One sentence per fault of blocks that each are valid by themselves."""
        environment, episode = self.environment, self.episode
        terms = switched_on(self.model_dump())
        asking = [term.weight for term in terms if "z_e" in term.needs]
        needed = frozenset().union(*(term.needs for term in terms))
        streams = ["decouple.dual_stream"] if self.decouple.dual_stream else []
        yield from stream_faults(self.model, self.decouple, environment)
        yield from width_faults(self.model)
        yield from loss_faults(self.loss)
        yield from limit_faults(self.limits)
        yield from source_faults(environment, self.energy, self.temperature, [*asking, *streams])
        yield from term_faults(terms, environment, episode)
        yield from placebo_faults(self.permuted, terms, environment)
        yield from teacher_faults(environment, episode, needed)
        yield from extrapolation_faults(environment, episode)
        yield from graph_faults(environment)
        yield from scope_faults(environment, self.energy)
        yield from balance_faults(self.balance, self.curriculum, not beside_the_task(terms))
        yield from phase_faults(self.curriculum, self.optimiser)
        yield from prediction_faults(self.support, self.predict, environment)

    def resolved(self, *, gpu: bool = False) -> "ConfigurationBlock":
        """The same configuration with size `auto` decided and every value filled in that depends on another one."""
        size = self.model.size
        if size == "auto":
            size = "documented" if gpu else "small"
        explicit = {k: v for k, v in self.model.model_dump().items() if v is not None}
        model = ModelBlock(**{**SIZES[size], **explicit, "size": size})
        settings = {**self.model_dump(), "model": model.model_dump()}
        ranking = settings["loss"]["ranking"]
        if ranking["tau"] is None:
            ranking["tau"] = RANKING_TAU[ranking["surrogate"]]
        return ConfigurationBlock.model_validate(settings)

    def canonical(self) -> dict[str, Any]:
        """The whole content of the configuration, as plain data."""
        return self.model_dump(mode="json")

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the content, without new fields at the value that they had
        before they existed (`Block.identity`), so that a program that knows more gives old results their old id."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]
