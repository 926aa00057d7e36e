"""The references of the bench of whole sweeps compute what the harness does, and growth beyond a limit is told."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import harness.bench.driver as driver_bench
from harness.bench.bookkeeping import EPOCHS, late_against_early
from harness.bench.driver import EARLY, GROWN, bench_driver
from harness.bench.grid import TINY, content, opened
from harness.bench.measurement import Time
from harness.bench.port import PortTrainer
from harness.bench.rungs import FoldedStem, GatheredTokens
from harness.bench.unit import apart, gains
from harness.bench.watched import run_module
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.dataset import EncodedDataset
from models.sequence.potential import SequencePotential
from models.sequence.stem import KmerStem


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, EncodedDataset]:
    """The tiny sweep of the bench and its data."""
    folder = tmp_path_factory.mktemp("sweep")
    yaml = folder / "tiny.yaml"
    yaml.write_text(json.dumps(content(TINY, 2)))
    sweep = load_sweep(yaml)
    return sweep, opened(sweep, folder / "cache")


def trainer(cls: type[PortTrainer], made: tuple[Sweep, EncodedDataset]) -> PortTrainer:
    sweep, dataset = made
    return cls(sweep.trial.resolved(gpu=False), dataset, np.array([0, 1, 2, 3]), 0)


def test_the_port_tokenises_as_the_harness_does(made: tuple[Sweep, EncodedDataset]) -> None:
    port, gathered = trainer(PortTrainer, made), trainer(GatheredTokens, made)
    port.sequences["enhancer"][int(made[1].enhancer_row[0])] = "ACGTNACGTACG"
    pairs = np.arange(1, 6)
    for side in ("enhancer", "promoter"):
        assert torch.equal(port.tokens(side, pairs), gathered.tokens(side, pairs))
    first = port.tokens("enhancer", np.array([0]))[0]
    assert first[:5].tolist() == [4096] * 5
    assert int(first[5]) == int("012301", 4)
    assert set(first[7:].tolist()) == {4096}


def test_the_ports_stem_is_the_plain_one_with_its_masks(made: tuple[Sweep, EncodedDataset]) -> None:
    port, folded = trainer(PortTrainer, made), trainer(FoldedStem, made)
    assert isinstance(port.model.sequence, SequencePotential)
    stem = port.model.sequence.stems["enhancer"]
    assert isinstance(stem, KmerStem)
    tokens = port.tokens("enhancer", np.arange(6))
    tokens[0, 20:] = 4096  # padding: some windows see nulls alone
    tokens[1] = 4096
    for way in (stem.plain_peaks(tokens), folded.peaks(stem, tokens)):
        peaks, mask = port.peaks(stem, tokens)
        assert torch.equal(mask, way[1])
        torch.testing.assert_close(peaks * mask[..., None], way[0] * mask[..., None])


def row(**values: object) -> dict[str, object]:
    key = {
        "epoch": 1,
        "selection": "epoch",
        "split": "val_unseen",
        "cell_line": "macro",
        "score": "corrected",
    }
    metrics = dict.fromkeys(("nll", "brier", "logit_sd", "aupr", "auc"), 0.5)
    return {**key, "prevalence_mode": "as_found", "protocol": "exact", **metrics, **values}


def test_rows_that_differ_or_are_alone_are_told() -> None:
    one, other = [row(), row(epoch=2)], [row(nll=0.75), row(epoch=3)]
    assert apart([row()], [row()]) == {"smooth": 0.0, "ranked": 0.0, "mean": 0.0, "alone": 0.0}
    assert apart(one, other) == {"smooth": 0.25, "ranked": 0.0, "mean": 0.25, "alone": 2.0}


def test_gains_are_told_part_by_part() -> None:
    assert gains({"plain": 8.0, "tokens": 4.0, "stem": 1.0}) == "tokens 2.00 x, stem 4.00 x"


@pytest.mark.parametrize(("late", "faults"), [(0.016, 1), (0.014, 0)])
def test_an_epoch_that_grows_dear_is_a_fault(late: float, faults: int) -> None:
    times = [Time(0.01, 0.01)] * (EPOCHS // 2) + [Time(0.01, late)] * (EPOCHS // 2)
    one = late_against_early("an epoch", times, "the first ones")
    assert one.differences[GROWN] == pytest.approx(late / 0.01)
    assert len(one.broken()) == faults
    assert late_against_early("an epoch", times[: EPOCHS - 1], "the first ones").limits == {}


@pytest.mark.parametrize(("each", "faults"), [(0.001, 1), (0.0, 0)])
def test_a_driver_that_grows_dear_is_a_fault(
    each: float, faults: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fed:
        def __init__(self, folder: Path, trials: int, sampler: str) -> None:
            self.trials: list[int] = []
            self.proposer = SimpleNamespace()

        def run(self, count: int, proposed: object = None) -> None:
            self.trials += range(count)

    executors: list[Fed] = []
    turns: list[int] = []

    def fed(*arguments: object) -> Fed:
        executors.append(Fed(Path(), 0, ""))
        return executors[-1]

    def timed(work: Callable[[], object], device: torch.device) -> Time:
        before = [len(executor.trials) for executor in executors]
        work()
        (which,) = [k for k, executor in enumerate(executors) if len(executor.trials) > before[k]]
        turns.append(which)
        done = len(executors[which].trials) - before[which]
        return Time(1.0, 1.0).times(done * (0.01 + each * before[which]))

    monkeypatch.setattr(driver_bench, "StubExecutor", fed)
    monkeypatch.setattr(driver_bench, "timed", timed)
    measured = bench_driver(4 * EARLY, "random")
    assert len(measured.broken()) == faults
    half = driver_bench.WINDOW / 2
    expected = (0.01 + each * (4 * EARLY - half)) / (0.01 + each * (EARLY + half))
    assert measured.differences[GROWN] == pytest.approx(expected, rel=0.05)
    assert turns[1:-1] == [0, 1] * (len(turns[1:-1]) // 2), "in turns, so that other load meets both"
    executors.clear()
    assert bench_driver(EARLY, "random").limits == {}


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    time, said = run_module(["this"])
    assert "Beautiful" in said
    assert time.wall > 0
    with pytest.raises(RuntimeError, match=r"no_such_module ended with 1: .*No module named no_such_module"):
        run_module(["no_such_module"])
