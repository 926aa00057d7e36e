"""One optimiser step of the whole sequence potential: with the fast stem against the plain one."""

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench.busy import busy_processes
from harness.bench.measurement import Measurement, alternate, relative_elements, relative_norm
from harness.bench.plain_stem import PlainStem
from harness.bench.sizes import BenchSize
from harness.bench.stem import FLOAT32_LIMIT, random_bases
from harness.config.blocks.model import ModelBlock
from models.building import build_sequence
from models.sequence.potential import SequencePotential
from models.sequence.stem import KmerStem
from models.streams import SeededNoise, generator, initialise

REQUIRED: dict[int, float | None] = {1: 3.0, 2: 2.5}
"""Threads -> ratio: one on an idle processor; two while as many other processes keep the processors busy. Of a CPU: on a
GPU launches are waited for, whichever the stem."""
FLOAT64_LIMIT = 1e-10


def bench_step(size: BenchSize, device: torch.device) -> Iterator[Measurement]:
    """Forward, backward and AdamW step of the CBAT potential with dropout, bases to loss, the batch at once: in one thread,
    and on a CPU in two threads beside two busy processes.

    Both networks start from the same parameters and see the same dropout masks. Compared before the first step: U_I and
    the gradients of `exact_batch` samples in float64, elementwise relative to the largest; and of the batch in float32,
    by norm. Near-ties of the maximum, which may fall to another position, are in the latter gradients: no limit there.
    """
    fast, plain = potential(size).to(device), potential(size).to(device)
    for side, stem in plain.stems.items():
        assert isinstance(stem, KmerStem)
        plain.stems[side] = PlainStem.of(stem)
    enhancer = random_bases(size.batch, size.enhancer_bp, "enhancer", device)
    promoter = random_bases(size.batch, size.promoter_bp, "promoter", device)
    label = torch.rand(size.batch, generator=generator(0, "bench", "label")).round().to(device)

    def backward(network: SequencePotential, samples: int = size.batch) -> Tensor:
        network.zero_grad(set_to_none=True)
        u = network(enhancer[:samples], promoter[:samples], SeededNoise(0, 0)).u
        F.binary_cross_entropy_with_logits(u, label[:samples].to(u.dtype)).backward()
        return u.detach()

    def gradients(network: SequencePotential) -> Tensor:
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    potentials = [backward(network) for network in (fast, plain)]
    totals = [gradients(network) for network in (fast, plain)]
    few = min(size.exact_batch, size.batch)
    exact = [backward(network.double(), few) for network in (fast, plain)]
    slopes = [gradients(network) for network in (fast, plain)]
    differences = {
        "U_I, float32, norm": relative_norm(potentials[:1], potentials[1:]),
        "gradients together, float32, norm": relative_norm(totals[:1], totals[1:]),
        "U_I, float64, elementwise": relative_elements(exact[:1], exact[1:]),
        "gradients together, float64, elementwise": relative_elements(slopes[:1], slopes[1:]),
    }
    optimisers = {
        network: torch.optim.AdamW(network.float().parameters(), lr=1e-3) for network in (fast, plain)
    }

    def step(network: SequencePotential) -> None:
        backward(network)
        optimisers[network].step()

    for threads, required in REQUIRED.items() if device.type == "cpu" else [(1, None)]:
        busy = threads if threads > 1 else 0
        with _threads(threads), busy_processes(busy):
            plain_time, fast_time = alternate(
                lambda: step(plain),
                lambda: step(fast),
                plain_rounds=size.rounds,
                fast_rounds=size.rounds,
                device=device,
            )
        words = f"{threads} threads beside {busy} busy processes" if busy else "1 thread"
        yield Measurement(
            f"training step, whole sequence side, {words}",
            plain_time,
            fast_time,
            required,
            (size.rounds, size.rounds),
            differences,
            limits={
                "U_I, float32, norm": FLOAT32_LIMIT[device.type],
                "U_I, float64, elementwise": FLOAT64_LIMIT,
                "gradients together, float64, elementwise": FLOAT64_LIMIT,
            },
            notes={
                "batch": size.batch,
                "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
                "model": f"cbat, e = {size.embedding}, kernel {size.kernel}, d = {size.width}",
                "plain samples per s": size.batch / plain_time.wall,
                "fast samples per s": size.batch / fast_time.wall,
            },
        )


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of torch inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def potential(size: BenchSize) -> SequencePotential:
    """The CBAT sequence potential of this size, other settings as by default, from seed 0."""
    block = ModelBlock(embedding=size.embedding, kernel=size.kernel, width=size.width, pool=size.pool)
    network = build_sequence(block.model_dump())
    initialise(network, 0)
    return network
