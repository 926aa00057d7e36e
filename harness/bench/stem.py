"""Forward and backward of the k-mer stem of both sides: table folding against embedding and convolution."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.bench.measurement import Measurement, alternate, relative_elements, relative_norm
from harness.bench.plain_stem import PlainStem
from harness.bench.sizes import BenchSize
from models.sequence.stem import KmerStem
from models.sequence.tokens import kmer_tokens
from models.streams import generator, initialise

REQUIRED = 40.0
FLOAT64_LIMIT = 1e-10
FLOAT32_LIMIT = 1e-5
NEAR_TIES_LIMIT = 1e-2
"""Looser than the outputs': a window whose two largest positions are closer than rounding may send its gradient to
the other one in float32."""

Passed = tuple[list[Tensor], list[Tensor]]


def bench_stem(
    size: BenchSize, device: torch.device, advance: Callable[[int], None] = lambda done: None
) -> Measurement:
    """Both stems (enhancer, promoter) over a batch of random sequences, evaluation mode, gradients of all
    parameters.

    The fast way takes the batch at once, the plain way in chunks of `size.chunk`, once; `advance` is called
    with the samples that the plain way has done (`size.batch` in all). Compared: outputs and gradients of
    `size.exact_batch` samples in float64, elementwise relative to the largest element; of the whole batch in
    float32, by norm, to each other and each to float64 (the fast way's), since the plain way rounds too.
    """
    fast = nn.ModuleDict(
        {
            side: KmerStem(size.embedding, size.kernel, size.width, size.pool, 0.0)
            for side in ("enhancer", "promoter")
        }
    )
    initialise(fast, 0)
    fast.to(device)
    plain = nn.ModuleDict(
        {side: PlainStem.of(stem) for side, stem in fast.items() if isinstance(stem, KmerStem)}
    )
    tokens = random_tokens(size, device)
    weights = {side: _weights(size, side, whole) for side, whole in tokens.items()}
    kept: dict[str, Passed] = {}

    def run_fast() -> None:
        kept["fast"] = both_passes(fast, tokens, weights, size.batch)

    def run_plain() -> None:
        kept["plain"] = both_passes(plain, tokens, weights, size.chunk, advance)

    plain_s, fast_s = alternate(run_plain, run_fast, plain_rounds=1, fast_rounds=size.rounds, device=device)
    few = {side: whole[: size.exact_batch] for side, whole in tokens.items()}
    whole_exact = both_passes(fast.double(), tokens, weights, size.batch)
    fast_exact = both_passes(fast, few, weights, size.exact_batch)
    plain_exact = both_passes(plain.double(), few, weights, size.exact_batch)
    differences = {}
    for number, what in enumerate(("outputs", "gradients")):
        differences[f"float64 {what}, elementwise"] = relative_elements(
            fast_exact[number], plain_exact[number]
        )
        differences[f"float32 {what}, norm"] = relative_norm(kept["fast"][number], kept["plain"][number])
        for way, result in kept.items():
            apart = relative_norm(result[number], whole_exact[number])
            differences[f"float32 {what} of {way} to float64, norm"] = apart
    return Measurement(
        "k-mer stem, forward + backward",
        plain_s,
        fast_s,
        REQUIRED,
        differences,
        limits={
            "float32 outputs of fast to float64, norm": FLOAT32_LIMIT,
            "float32 gradients of fast to float64, norm": NEAR_TIES_LIMIT,
            "float64 outputs, elementwise": FLOAT64_LIMIT,
            "float64 gradients, elementwise": FLOAT64_LIMIT,
        },
        notes={
            "batch": size.batch,
            "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
            "stem": f"e = {size.embedding}, kernel {size.kernel}, {size.width} channels, pool {size.pool}",
            "plain chunk": size.chunk,
            "plain ms per sample": 1e3 * plain_s / size.batch,
            "fast ms per sample": 1e3 * fast_s / size.batch,
            "float64 batch": min(size.exact_batch, size.batch),
        },
    )


def random_bases(samples: int, length: int, name: str, device: torch.device) -> Tensor:
    """Uniform random A C G T with one N in a thousand, uint8 [samples, length]."""
    source = generator(0, "bench", name)
    bases = torch.randint(0, 4, (samples, length), generator=source, dtype=torch.uint8)
    unknown = torch.rand(samples, length, generator=source) < 1e-3
    return torch.where(unknown, torch.tensor(4, dtype=torch.uint8), bases).to(device)


def random_tokens(size: BenchSize, device: torch.device) -> dict[str, Tensor]:
    """k-mer tokens of random sequences, by side."""
    lengths = {"enhancer": size.enhancer_bp, "promoter": size.promoter_bp}
    return {
        side: kmer_tokens(random_bases(size.batch, length, side, device)) for side, length in lengths.items()
    }


def both_passes(
    stems: nn.ModuleDict,
    tokens: dict[str, Tensor],
    weights: dict[str, Tensor],
    chunk: int,
    advance: Callable[[int], None] = lambda done: None,
) -> Passed:
    """Outputs of each side, and gradients of every parameter for sum(outputs * weights)."""
    stems.zero_grad(set_to_none=True)
    outputs: dict[str, list[Tensor]] = {side: [] for side in tokens}
    samples = len(next(iter(tokens.values())))
    for first in range(0, samples, chunk):
        for side, whole in tokens.items():
            features, mask = stems[side](whole[first : first + chunk])
            features = features * mask[..., None]
            weight = weights[side][first : first + len(features)]
            (features * weight.to(features.dtype)).sum().backward()
            outputs[side].append(features.detach())
        advance(min(chunk, samples - first))
    gradients = [parameter.grad for parameter in stems.parameters() if parameter.grad is not None]
    return [torch.cat(parts) for parts in outputs.values()], [gradient.clone() for gradient in gradients]


def _weights(size: BenchSize, side: str, tokens: Tensor) -> Tensor:
    """Fixed random weights of the outputs of one side, [batch, windows, width]."""
    windows = -(-tokens.shape[1] // size.pool)
    source = generator(1, "bench", side)
    return torch.randn(size.batch, windows, size.width, generator=source).to(tokens.device)
