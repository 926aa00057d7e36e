"""One optimiser step of the whole sequence potential: with the fast stem against the plain one."""

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench.measurement import Measurement, alternate, relative_norm
from harness.bench.plain_stem import PlainStem
from harness.bench.sizes import BenchSize
from harness.bench.stem import random_bases
from harness.config.blocks.model import ModelBlock
from models.building import build_sequence
from models.sequence.potential import SequencePotential
from models.sequence.stem import KmerStem
from models.streams import SeededNoise, generator, initialise

REQUIRED = 2.5
OUTPUT_LIMIT = 1e-4


def bench_step(size: BenchSize, device: torch.device) -> Measurement:
    """Forward, backward and AdamW step of the CBAT potential with dropout, bases to loss, the batch at once.

    Both networks start from the same parameters and see the same dropout masks, so the first step's U_I and
    the gradients before it are compared (norm, float32: near-ties of the maximum may fall to another
    position).
    """
    torch.manual_seed(0)
    fast = potential(size).to(device)
    plain = potential(size).to(device)
    for side, stem in plain.stems.items():
        assert isinstance(stem, KmerStem)
        plain.stems[side] = PlainStem.of(stem)
    enhancer = random_bases(size.batch, size.enhancer_bp, "enhancer", device)
    promoter = random_bases(size.batch, size.promoter_bp, "promoter", device)
    label = torch.rand(size.batch, generator=generator(0, "bench", "label")).round().to(device)

    def backward(network: SequencePotential) -> Tensor:
        network.zero_grad(set_to_none=True)
        u = network(enhancer, promoter, SeededNoise(0, 0)).u
        F.binary_cross_entropy_with_logits(u, label).backward()
        return u.detach()

    measured, expected = backward(fast), backward(plain)
    gradients = [[p.grad for p in network.parameters() if p.grad is not None] for network in (fast, plain)]
    total = [torch.cat([gradient.flatten() for gradient in parts]) for parts in gradients]
    differences = {
        "U_I, norm": relative_norm([measured], [expected]),
        "gradients together, norm": relative_norm(total[:1], total[1:]),
    }
    optimisers = {network: torch.optim.AdamW(network.parameters(), lr=1e-3) for network in (fast, plain)}

    def step(network: SequencePotential) -> None:
        backward(network)
        optimisers[network].step()

    plain_time, fast_time = alternate(
        lambda: step(plain),
        lambda: step(fast),
        plain_rounds=size.rounds,
        fast_rounds=size.rounds,
        device=device,
    )
    return Measurement(
        "training step, whole sequence side",
        plain_time,
        fast_time,
        REQUIRED,
        (size.rounds, size.rounds),
        differences,
        limits={"U_I, norm": OUTPUT_LIMIT},
        notes={
            "batch": size.batch,
            "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
            "model": f"cbat, e = {size.embedding}, kernel {size.kernel}, d = {size.width}",
            "plain samples per s": size.batch / plain_time.wall,
            "fast samples per s": size.batch / fast_time.wall,
        },
    )


def potential(size: BenchSize) -> SequencePotential:
    """The CBAT sequence potential of this size, other settings as by default, from seed 0."""
    block = ModelBlock(embedding=size.embedding, kernel=size.kernel, width=size.width, pool=size.pool)
    network = build_sequence(block.model_dump())
    initialise(network, 0)
    return network
