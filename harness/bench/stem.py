"""Forward and backward of the k-mer stem of both sides: table folding against embedding and convolution."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

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
FLOAT32_LIMIT = {"cpu": 1e-5, "cuda": 3e-5}
"""By device: what cuDNN makes of the plain convolution was 1.1e-5 from float64, and what the table makes of it 1e-6."""

Passed = tuple[list[Tensor], list[Tensor]]


def bench_stem(
    size: BenchSize, device: torch.device, advance: Callable[[int], None] = lambda done: None
) -> Measurement:
    """Both stems (enhancer, promoter) over a batch of random sequences, evaluation mode, gradients of all
    parameters.

    The fast way takes the batch at once, the plain way in chunks of `size.chunk`, once (a matter of minutes).
    Compared: outputs and gradients of `size.exact_batch` samples in float64, elementwise relative to the largest
    element; and of the whole batch in float32, by norm. There the plain way runs with `exact_convolutions`: how far
    the timed one is from float64 by its own rounding is given, too. The two largest positions of a window may be
    closer than rounding; where the two ways let different ones win (`KmerStem.disagreement`), the gradient goes to
    different tokens, and both are right. The gradients' limit therefore holds with such windows left out of the
    loss on both routes; their share, and the figures with them, are given beside it. `advance` is called with the
    samples that the plain way has done: `size.batch` timed, and twice as many for that comparison.
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

    plain_time, fast_time = alternate(
        run_plain, run_fast, plain_rounds=1, fast_rounds=size.rounds, device=device
    )
    with exact_convolutions():
        parted = {side: parted_windows(fast[side], whole, size.chunk) for side, whole in tokens.items()}
        unparted = {side: weights[side] * ~parted[side].any(-1, keepdim=True) for side in tokens}
        left_out = both_passes(plain, tokens, unparted, size.chunk, advance)
        exact = both_passes(plain, tokens, weights, size.chunk, advance)
    fast_left_out = both_passes(fast, tokens, unparted, size.batch)
    few = {side: whole[: size.exact_batch] for side, whole in tokens.items()}
    whole_exact = both_passes(fast.double(), tokens, weights, size.batch)
    fast_exact = both_passes(fast, few, weights, size.exact_batch)
    plain_exact = both_passes(plain.double(), few, weights, size.exact_batch)
    differences = {}
    for number, what in enumerate(("outputs", "gradients")):
        differences[f"float64 {what}, elementwise"] = relative_elements(
            fast_exact[number], plain_exact[number]
        )
        apart = relative_norm(fast_left_out[number], left_out[number])
        differences[f"float32 {what}, norm, parted windows left out"] = apart
        differences[f"float32 {what}, norm, all windows"] = relative_norm(kept["fast"][number], exact[number])
        apart = relative_norm(kept["fast"][number], kept["plain"][number])
        differences[f"float32 {what}, norm, all windows, plain as timed"] = apart
        for way, result in (("fast", kept["fast"]), ("plain", exact), ("plain as timed", kept["plain"])):
            apart = relative_norm(result[number], whole_exact[number])
            differences[f"float32 {what} of {way} to float64, norm"] = apart
    return Measurement(
        "k-mer stem, forward + backward",
        plain_time,
        fast_time,
        REQUIRED,
        (1, size.rounds),
        differences,
        limits={
            "float32 outputs, norm, all windows": FLOAT32_LIMIT[device.type],
            "float32 gradients, norm, parted windows left out": FLOAT32_LIMIT[device.type],
            "float64 outputs, elementwise": FLOAT64_LIMIT,
            "float64 gradients, elementwise": FLOAT64_LIMIT,
        },
        notes={
            "batch": size.batch,
            "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
            "stem": f"e = {size.embedding}, kernel {size.kernel}, {size.width} channels, pool {size.pool}",
            "plain chunk": size.chunk,
            "plain ms per sample": 1e3 * plain_time.wall / size.batch,
            "fast ms per sample": 1e3 * fast_time.wall / size.batch,
            "windows and channels parted": _share(parted.values()),
            "windows left out": _share(part.any(-1) for part in parted.values()),
            "float64 batch": min(size.exact_batch, size.batch),
        },
    )


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Convolutions that add their e * kernel products in blocks and in full float32.

    oneDNN's adds them one by one, which at e * kernel = 33 000 costs two digits; cuDNN's may round to TF32.
    """
    tf32 = torch.backends.cudnn.allow_tf32
    with warnings.catch_warnings():
        # Switching oneDNN warns about settings for GPUs that this torch was built without.
        warnings.simplefilter("ignore", UserWarning)
        with torch.backends.mkldnn.flags(enabled=False):
            torch.backends.cudnn.allow_tf32 = False
            try:
                yield
            finally:
                torch.backends.cudnn.allow_tf32 = tf32


def parted_windows(stem: nn.Module, tokens: Tensor, chunk: int) -> Tensor:
    """`KmerStem.disagreement` [B, P, d], `chunk` samples at once: the plain way's rounding depends on the chunk."""
    assert isinstance(stem, KmerStem)
    with torch.no_grad():
        return torch.cat([stem.disagreement(part) for part in tokens.split(chunk)])


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


def _share(parts: Iterable[Tensor]) -> float:
    """Of the entries of all parts that are true."""
    flat = torch.cat([part.flatten() for part in parts])
    return float(flat.double().mean())
