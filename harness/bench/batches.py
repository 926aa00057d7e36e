"""Making a batch: gathering encoded windows against a per-sample Python dictionary of k-mers."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.bench.measurement import Measurement, alternate, middle, timed
from harness.bench.sizes import BenchSize
from harness.bench.step import potential
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.data.dataset import EncodedDataset
from harness.data.store import open_dataset
from models.sequence.tokens import KMER, kmer_tokens, null_token
from models.streams import SeededNoise

REQUIRED = 200.0
"""For gathering bases; the aim is also 100 000 samples per second and core, see the notes."""
_PLAIN_SAMPLES = 64


def bench_batches(size: BenchSize, device: torch.device) -> list[Measurement]:
    """Two measurements: the batch as the trial makes it (bases), and the same to the very tokens.

    The first is what the processor that feeds the model has to do: tokens are then made on the model's
    device, as part of its forward pass. The second makes identical tokens both ways and compares them one by
    one. Both quote the gain end to end: one training step (forward and backward of the sequence side) with
    its batch. The dataset is larger than a processor's cache, so that the gather reads memory.
    """
    vocabulary = {"".join(word): code for code, word in enumerate(itertools.product("ACGT", repeat=KMER))}
    with tempfile.TemporaryDirectory() as cache:
        dataset = _dataset(size, Path(cache))
        drawn = np.random.default_rng(0).permutation(len(dataset))
        few = drawn[:_PLAIN_SAMPLES]
        chunks = np.array_split(drawn, max(1, len(drawn) // size.batch))
        kept: dict[str, list[Tensor]] = {}

        def plain() -> None:
            kept["plain"] = [
                torch.stack([_tokenise(sequence(row), length, vocabulary) for row in rows[few]])
                for sequence, rows, length in (
                    (dataset.enhancer_sequence, dataset.enhancer_row, dataset.enhancers.shape[1]),
                    (dataset.promoter_sequence, dataset.promoter_row, dataset.promoters.shape[1]),
                )
            ]

        def gather() -> None:
            for pairs in chunks:
                dataset.enhancer_bases(pairs)
                dataset.promoter_bases(pairs)

        def tokens() -> None:
            kept["fast"] = _tokens(dataset, few)

        rounds = {"plain_rounds": size.rounds, "fast_rounds": size.rounds}
        plain_time, tokens_time = alternate(plain, tokens, **rounds, device=device)
        gather()
        gather_time = middle([timed(gather, device) for _ in range(size.rounds)])
        per_sample = {
            "plain": plain_time.times(1.0 / len(few)),
            "tokens": tokens_time.times(1.0 / len(few)),
            "gather": gather_time.times(1.0 / len(drawn)),
        }
        step = _step_seconds(dataset, drawn[: size.batch], size, device)
        different = sum(int((a != b).sum()) for a, b in zip(kept["fast"], kept["plain"], strict=True))

    def measurement(name: str, way: str, required: float | None, exact: bool) -> Measurement:
        return Measurement(
            name,
            per_sample["plain"].times(size.batch),
            per_sample[way].times(size.batch),
            required,
            (size.rounds, size.rounds),
            differences={"tokens that differ": float(different)} if exact else {},
            limits={"tokens that differ": 0.0} if exact else {},
            notes={
                "batch": size.batch,
                "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
                "plain samples per s": 1.0 / per_sample["plain"].wall,
                "fast samples per s": 1.0 / per_sample[way].wall,
                "training step, samples per s": 1.0 / step,
                "end to end": f"{(per_sample['plain'].wall + step) / (per_sample[way].wall + step):.2f} x",
            },
        )

    return [
        measurement("batches, bases gathered", "gather", REQUIRED, exact=False),
        measurement("batches, to the same tokens", "tokens", None, exact=True),
    ]


def _dataset(size: BenchSize, cache: Path) -> EncodedDataset:
    block = SyntheticBlock(
        cell_lines=4,
        pairs_per_cell=max(20, 64 * size.batch),
        enhancer_bp=size.enhancer_bp,
        promoter_bp=size.promoter_bp,
    )
    return open_dataset(
        DataBlock(synthetic=block),
        enhancer_bp=size.enhancer_bp,
        promoter_bp=size.promoter_bp,
        cache=cache,
        progress=False,
    )


def _tokenise(sequence: str, length: int, vocabulary: dict[str, int]) -> Tensor:
    """One sequence, word by word through the dictionary, padded with nulls."""
    null = null_token()
    codes = [vocabulary.get(sequence[i : i + KMER], null) for i in range(len(sequence) - KMER + 1)]
    return torch.tensor(codes + [null] * (length - KMER + 1 - len(codes)))


def _tokens(dataset: EncodedDataset, pairs: np.ndarray) -> list[Tensor]:
    return [
        kmer_tokens(torch.from_numpy(bases))
        for bases in (dataset.enhancer_bases(pairs), dataset.promoter_bases(pairs))
    ]


def _step_seconds(dataset: EncodedDataset, pairs: np.ndarray, size: BenchSize, device: torch.device) -> float:
    """Seconds on the clock per sample of forward and backward of the sequence side, from bases."""
    network = potential(size).to(device)
    enhancer, promoter = (
        torch.from_numpy(bases).to(device)
        for bases in (dataset.enhancer_bases(pairs), dataset.promoter_bases(pairs))
    )

    def step() -> None:
        network.zero_grad(set_to_none=True)
        network(enhancer, promoter, SeededNoise(0, 0)).u.sum().backward()

    step()
    return timed(step, device).wall / len(pairs)
