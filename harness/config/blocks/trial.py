"""The typed configuration of one trial: everything that a preset sets and a space may vary."""

import hashlib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from analysis.errors import UserError
from analysis.rules import check_limits
from harness.config.blocks.block import Block
from harness.config.blocks.competition_checks import competition_faults
from harness.config.blocks.environment import EnvironmentBlock, SupportEnvironment
from harness.config.blocks.environment_checks import environment_faults
from harness.config.blocks.loss import OF_BOTH_SIDES, OF_THE_SEQUENCE, RANKING_TAU, DecoupleBlock, LossBlock
from harness.config.blocks.model import (
    EnergyBlock,
    FixedTemperature,
    LinearEnergy,
    ModelBlock,
    TemperatureBlock,
)
from harness.config.blocks.training import (
    BalanceBlock,
    CurriculumBlock,
    EpisodeBlock,
    EvaluationBlock,
    FixedBalance,
    OptimiserBlock,
    PredictBlock,
    SupportBlock,
)

SIZES: dict[str, dict[str, int]] = {
    "small": {"embedding": 16, "kernel": 11, "width": 32, "enhancer_bp": 400, "promoter_bp": 1600},
    "documented": {"embedding": 768, "kernel": 43, "width": 64, "enhancer_bp": 1000, "promoter_bp": 4000},
}


class TrialConfig(Block):
    """One configuration. Its identity is the hash of its resolved content."""

    model: ModelBlock = ModelBlock()
    energy: EnergyBlock = LinearEnergy()
    temperature: TemperatureBlock = FixedTemperature()
    environment: EnvironmentBlock = SupportEnvironment()
    support: SupportBlock = SupportBlock()
    episode: EpisodeBlock = EpisodeBlock()
    loss: LossBlock = LossBlock()
    decouple: DecoupleBlock = DecoupleBlock()
    routing: Literal["isolated", "shared"] = "isolated"
    """isolated: every loss reaches only its parameter groups; shared: the documented entanglement (M41)."""
    balance: BalanceBlock = FixedBalance()
    curriculum: CurriculumBlock = CurriculumBlock()
    optimiser: OptimiserBlock = OptimiserBlock()
    evaluation: EvaluationBlock = EvaluationBlock()
    predict: PredictBlock = PredictBlock()
    audit: Literal["strict", "warn", "off"] = "strict"
    """strict: a mechanism that is inert or leaking at the first steps stops the trial; warn: it is only reported."""
    limits: dict[str, float] = Field(default_factory=dict)
    """Limits of warning rules by rule id, in place of the documented ones."""

    @model_validator(mode="after")
    def _streams(self) -> "TrialConfig":
        """Refuse a bottleneck or a dual stream that its width leaves no room for, or that leaves a term nothing."""
        width, narrow = self.model.width, self.model.bottleneck
        if width is not None and narrow is not None and narrow >= width:
            raise ValueError(
                f"model.bottleneck {narrow} narrows nothing: it has to be smaller than model.width {width}"
            )
        if not self.decouple.dual_stream:
            return self
        if self.decouple.orthogonal > 0:
            raise ValueError(
                "decouple.orthogonal has nothing to do beside decouple.dual_stream, which keeps z_I and z_E "
                "orthogonal by construction: leave one of them out"
            )
        features = narrow or width
        inner: int | None = getattr(self.environment, "width", None)
        if features is not None and inner is not None and inner >= features:
            raise ValueError(
                f"decouple.dual_stream needs environment.width below the {features} dimensions of z_I, which the two "
                f"streams share, and it is {inner}"
            )
        return self

    @model_validator(mode="after")
    def _combinations(self) -> "TrialConfig":
        """Refuse what would be configured and could not act."""
        width, heads = self.model.width, self.model.heads
        if width is not None and width % heads:
            raise ValueError(f"model.width {width} is not a multiple of model.heads {heads}")
        if width is not None and width // heads % 2:
            raise ValueError(
                f"model.width {width} over model.heads {heads} makes heads of width {width // heads}, and rotary "
                "positions need an even one"
            )
        calibration = self.loss.calibration
        if calibration.variance_low > calibration.variance_high:
            raise ValueError(
                f"loss.calibration.variance_low {calibration.variance_low} is above variance_high "
                f"{calibration.variance_high}"
            )
        decoupled = self.decouple.acting(*OF_BOTH_SIDES, *OF_THE_SEQUENCE)
        if decoupled and self.episode.per_step < 4:
            raise ValueError(
                f"decouple.{decoupled[0]} needs episodes of at least 4 cell lines in a step, and episode.per_step is "
                f"{self.episode.per_step}"
            )
        contrastive = self.loss.contrastive
        if contrastive.weight > 0 and contrastive.bank == 0:
            raise ValueError(
                "loss.contrastive.bank: 0 leaves no positives: the environments of a step are of different cell lines"
            )
        try:
            check_limits(self.limits)
        except UserError as error:
            raise ValueError(str(error)) from None
        if self.environment.source == "none":
            needs = {
                f"energy.form: {self.energy.form}": self.energy.form != "linear",
                "temperature.mode: per_cell": self.temperature.mode == "per_cell",
                "loss.contrastive.weight": self.loss.contrastive.weight > 0,
                "loss.prototypes.weight": self.loss.prototypes.weight > 0,
                "loss.sparsity.z_e": self.loss.sparsity.z_e > 0,
                "loss.sparsity.r": self.loss.sparsity.r > 0,
                "decouple.dual_stream": self.decouple.dual_stream,
                **{f"decouple.{key}": True for key in self.decouple.acting(*OF_BOTH_SIDES)},
            }
            asked = [key for key, wanted in needs.items() if wanted]
            if asked:
                raise ValueError(
                    f"environment.source: none has no R_E and no z_E, which {', '.join(asked)} needs"
                )
        for fault in (*environment_faults(self), *competition_faults(self)):
            raise ValueError(fault)
        if self.balance.kind == "ramp" and self.curriculum.ramp_epochs > 0:
            raise ValueError(
                "balance.kind: ramp and curriculum.ramp_epochs are the same ramp, and both are given: leave one of them out"
            )
        if self.curriculum.ramp_epochs > 0 and not self._weights_beside_the_task():
            raise ValueError(
                "curriculum.ramp_epochs has no weights to raise: the task is the only loss term, every other weight is 0"
            )
        if self.balance.kind in ("grad_norm", "pcgrad") and not self._weights_beside_the_task():
            raise ValueError(
                f"balance.kind: {self.balance.kind} has no gradients to balance: the task is the only loss term, every "
                "other weight is 0"
            )
        if self.energy.form == "binding" and getattr(self.environment, "scope", "cell") != "cell":
            raise ValueError(
                "energy.form: binding has no R_E(x, c), since A_c is an abundance of the cell line; it needs "
                "environment.scope: cell"
            )
        if self.support.labels and self.environment.source != "support":
            raise ValueError(
                "support.labels: true needs environment.source: support; nothing else reads labels"
            )
        if self.curriculum.phase1_epochs >= self.optimiser.epochs and self.curriculum.phase1_epochs > 0:
            raise ValueError(
                f"curriculum.phase1_epochs {self.curriculum.phase1_epochs} leaves no epoch of phase 2 "
                f"in optimiser.epochs {self.optimiser.epochs}"
            )
        if self.predict.mode == "branch_select" and self.environment.source == "none":
            raise ValueError(
                "predict.mode: branch_select chooses between U_I and the corrected score; "
                "environment.source: none has no corrected score"
            )
        return self

    def _weights_beside_the_task(self) -> list[str]:
        """Dotted paths of the weights above 0 that add a loss term to the task's."""
        weights = {f"decouple.{key}": value for key, value in self.decouple if isinstance(value, float)}
        weights |= {f"loss.sparsity.{key}": value for key, value in self.loss.sparsity}
        weights |= {f"loss.{key}.weight": getattr(block, "weight", 0.0) for key, block in self.loss}
        weights["temperature.penalty"] = getattr(self.temperature, "penalty", 0.0)
        return [path for path, value in weights.items() if value > 0]

    def resolved(self, *, gpu: bool = False) -> "TrialConfig":
        """The same configuration with size `auto` decided and every value filled in that depends on another one."""
        size = self.model.size
        if size == "auto":
            size = "documented" if gpu else "small"
        given = {k: v for k, v in self.model.model_dump().items() if v is not None}
        model = ModelBlock(**{**SIZES[size], **given, "size": size})
        settings = {**self.model_dump(), "model": model.model_dump()}
        ranking = settings["loss"]["ranking"]
        if ranking["tau"] is None:
            ranking["tau"] = RANKING_TAU[ranking["surrogate"]]
        return TrialConfig.model_validate(settings)

    def canonical(self) -> dict[str, Any]:
        """The whole content of the configuration, as plain data."""
        return self.model_dump(mode="json")

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the content, without new fields at the value that they had
        before they existed (`Block.identity`), so that a program that knows more gives old results their old id."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]
