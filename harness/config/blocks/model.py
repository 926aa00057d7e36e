"""Blocks that say what the model is: sequence side, energy, temperature (M01 to M15)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.config.blocks.block import Before, Block
from harness.config.blocks.read_where import POSITIVE, ReadWhere
from harness.config.blocks.registered import VariantBlock, choice


class ModelBlock(Block):
    """The sequence side: stem, self-attention, interaction encoder, energy head (M01 to M06)."""

    size: Literal["auto", "small", "documented"] = "auto"
    """small: e = 16, kernel 11, d = 32, crop 400/1600 bp; documented: e = 768, kernel 43, d = 64,
    crop 1000/4000 bp; auto: documented where there is a GPU, small elsewhere (resolved before the plan is hashed)."""
    encoder: Literal["cbat", "cross_attention", "cnn"] = "cbat"
    """How the two sides meet: CBAT (M03, M04), bidirectional cross attention, or stem + pooling (M06)."""
    embedding: int | None = Field(None, ge=1, le=4096)
    """k-mer embedding dimension e; the size's own when absent."""
    kernel: int | None = Field(None, ge=1, le=101)
    """Convolution kernel of the stem in k-mer positions; the size's own when absent."""
    width: int | None = Field(None, ge=4, le=512)
    """Width d of everything after the stem (a multiple of heads); the size's own when absent."""
    enhancer_bp: int | None = Field(None, ge=64, le=20000)
    """Centre crop of enhancers in base pairs; the size's own when absent."""
    promoter_bp: int | None = Field(None, ge=64, le=20000)
    """Centre crop of promoters in base pairs; the size's own when absent."""
    pool: int = Field(24, ge=1, le=128)
    """Max-pooling window of the stem in positions (the last partial window is kept)."""
    dropout: float = Field(0.35, ge=0.0, lt=1.0)
    share_sides: bool = False
    """One stem for enhancer and promoter instead of one each."""
    share_strands: bool = False
    """Average each side over its two strands (reverse complement) after pooling."""
    heads: Annotated[
        int,
        ReadWhere({"model.encoder": ["cbat", "cross_attention"], "model.self_attention_layers": POSITIVE}),
    ] = Field(4, ge=1, le=16)
    self_attention_layers: int = Field(1, ge=0, le=8)
    """RoPE self-attention blocks per side before the two sides meet (M02)."""
    blocks: Annotated[int, ReadWhere({"model.encoder": ["cbat", "cross_attention"]})] = Field(1, ge=1, le=8)
    """CBAT or cross-attention blocks per direction (not read by cnn)."""
    anchors: Annotated[int, ReadWhere({"model.encoder": ["cbat"]})] = Field(2, ge=1, le=16)
    """Anchors K of CBAT (M04)."""
    window: Annotated[int, ReadWhere({"model.encoder": ["cbat"]})] = Field(32, ge=1, le=1024)
    """Attention window of CBAT in pooled positions."""
    grid: int = Field(5, ge=1, le=16)
    """Highest frequency G of the Fourier KAN energy head (M05)."""
    nonnegative: bool = False
    """U_I >= 0 by a softplus on the energy head (M05); unbounded otherwise."""
    bottleneck: int | None = Field(None, ge=1, le=512)
    """Dimensions that z_I is narrowed to by a linear map, fewer than width; not narrowed when absent (M07)."""
    precision: Annotated[Literal["float32", "bf16"], Before("float32")] = "float32"
    """bf16: self-attention and interaction encoder in bfloat16 (autocast), in training and prediction; stem, energy head
    and all after z_I stay in float32, as do parameters, gradients and what is stored. Gains time on a GPU alone."""

    def words(self) -> str:
        """Size, and precision where that is not float32, as a header says them: `model size small, bf16`."""
        return f"model size {self.size}" + ("" if self.precision == "float32" else f", {self.precision}")


class EnergyBlock(VariantBlock):
    """The energy; a form that can do without R_E, or that has none of a sample's, says so."""

    path: ClassVar[str] = "energy.form"
    needs_environment: ClassVar[bool] = True
    cell_scope_only: ClassVar[str] = ""
    """Why there is no R_E(x, c) in it, in words; empty where there can be one."""
    form: str


@choice("energy.form")
class LinearEnergyBlock(EnergyBlock):
    """l = (U_I - R_E) / T with R_E >= 0 (M10)."""

    needs_environment: ClassVar[bool] = False
    form: Literal["linear"] = "linear"


@choice("energy.form")
class InteractionEnergyBlock(EnergyBlock):
    """l = (U_I - R_E + lam U_I R_E) / T with R_E >= 0 and lam learned (M11)."""

    form: Literal["interaction"]
    lam: float = Field(0.1, ge=-2.0, le=2.0)
    """Initial value of lam."""


@choice("energy.form")
class GatedEnergyBlock(EnergyBlock):
    """l = U_I sigmoid(w R_E) / T with R_E signed and w learned (M12)."""

    form: Literal["gated"]
    w: float = Field(1.0, ge=-10.0, le=10.0)
    """Initial value of w."""


@choice("energy.form")
class BoostedGateEnergyBlock(EnergyBlock):
    """l = U_I (1 + a tanh(U_I) sigmoid(R_E)) / T with R_E signed (M13): an open environment promotes."""

    form: Literal["boosted_gate"]
    a: float = Field(0.5, gt=0.0, le=1.0)
    """Largest promotion. At cell scope the ranking is that of U_I while a sigmoid(R_E) < 0.83."""


@choice("energy.form")
class ThresholdGateEnergyBlock(EnergyBlock):
    """l = U_I (1[R_E > tau] + b 1[R_E <= tau]) / T with R_E signed and a straight-through gradient (M13)."""

    form: Literal["threshold_gate"]
    b: float = Field(0.1, gt=0.0, lt=1.0)
    """What a closed gate lets through of U_I."""
    tau: float = Field(0.0, ge=-5.0, le=5.0)
    """Threshold in standard deviations of R_E over the training cell lines."""


@choice("energy.form")
class BlockingEnergyBlock(EnergyBlock):
    """P = sigmoid(w R_E) sigmoid(U_I / T) with R_E signed and w learned (M13): a closed gate gives P = 0."""

    form: Literal["blocking"]
    w: float = Field(1.0, ge=-10.0, le=10.0)
    """Initial value of w."""


@choice("energy.form")
class BindingEnergyBlock(EnergyBlock):
    """l = U_I / T + log A_c, A_c = softplus(KAN(z_E)) (M14): mass action; R_E = -log A_c, per cell line only."""

    cell_scope_only: ClassVar[str] = "since A_c is an abundance of the cell line"
    form: Literal["binding"]
    grid: int = Field(5, ge=1, le=16)
    """Highest frequency of the Fourier KAN from z_E to A_c."""


class TemperatureBlock(VariantBlock):
    """The temperature."""

    path: ClassVar[str] = "temperature.mode"
    needs_environment: ClassVar[bool] = False
    mode: str


@choice("temperature.mode")
class FixedTemperatureBlock(TemperatureBlock):
    """T = value."""

    mode: Literal["fixed"] = "fixed"
    value: float = Field(1.0, gt=0.0, le=100.0)


@choice("temperature.mode")
class LearnedTemperatureBlock(TemperatureBlock):
    """T = softplus(t), t initialised so that T = 1 exactly; penalty * (T - 1)^2 is added to the loss."""

    mode: Literal["learned"]
    penalty: float = Field(0.0, ge=0.0, le=100.0)


@choice("temperature.mode")
class PerCellTemperatureBlock(TemperatureBlock):
    """T(c) = softplus(linear(z_E(c))), 1 at initialisation; penalty * mean (T - 1)^2 is added to the loss."""

    needs_environment: ClassVar[bool] = True
    mode: Literal["per_cell"]
    penalty: float = Field(0.0, ge=0.0, le=100.0)


@choice("temperature.mode")
class CalibratedTemperatureBlock(TemperatureBlock):
    """T = 1 in training, then fitted on validation only by minimising the negative log-likelihood."""

    mode: Literal["calibrated"]
