"""What a sequence side is configured for and could not be built as: sentences that a configuration is refused with."""

from collections.abc import Iterator

from harness.config.blocks.environment import EncodedEnvironmentBlock, EnvironmentBlock
from harness.config.blocks.loss import DecoupleBlock
from harness.config.blocks.model import ModelBlock


def width_faults(model: ModelBlock) -> Iterator[str]:
    """A bottleneck that narrows nothing, and a width that its heads do not divide into even parts."""
    width, heads, narrow = model.width, model.heads, model.bottleneck
    if width is None:
        return
    if narrow is not None and narrow >= width:
        yield f"model.bottleneck {narrow} narrows nothing: it has to be smaller than model.width {width}"
    if width % heads:
        yield f"model.width {width} is not a multiple of model.heads {heads}"
    elif width // heads % 2:
        yield (
            f"model.width {width} over model.heads {heads} makes heads of width {width // heads}, and rotary "
            "positions need an even one"
        )


def stream_faults(model: ModelBlock, decouple: DecoupleBlock, environment: EnvironmentBlock) -> Iterator[str]:
    """A dual stream that its width leaves no room for, or that leaves a term nothing."""
    if not decouple.dual_stream:
        return
    if decouple.orthogonal > 0:
        yield (
            "decouple.orthogonal has nothing to do beside decouple.dual_stream, which keeps z_I and z_E "
            "orthogonal by construction: leave one of them out"
        )
    features = model.bottleneck or model.width
    inner = environment.width if isinstance(environment, EncodedEnvironmentBlock) else None
    if features is not None and inner is not None and inner >= features:
        yield (
            f"decouple.dual_stream needs environment.width below the {features} dimensions of z_I, which the two "
            f"streams share, and it is {inner}"
        )
