"""The store: lossless, encoded once, shared, and never half-written."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.data import store
from harness.data.bases import cut_windows, decode_bases, encode_bases
from harness.data.dataset import EncodedDataset
from harness.data.store import content_hash, is_encoded, open_dataset
from tests.harness.small_data import change_cell, small_tables, write_parquet, write_prism
from tests.narrow import rows


def opened(root: Path, cache: Path, enhancer_bp: int = 80, promoter_bp: int = 70) -> EncodedDataset:
    block = DataBlock(root=root)
    return open_dataset(block, enhancer_bp=enhancer_bp, promoter_bp=promoter_bp, cache=cache, progress=False)


def test_what_is_encoded_is_known_without_writing(tmp_path: Path) -> None:
    root, cache = write_parquet(tmp_path / "data", small_tables()), tmp_path / "cache"
    block = DataBlock(root=root)
    assert not is_encoded(block, enhancer_bp=80, promoter_bp=70, cache=cache)
    assert not cache.exists()
    opened(root, cache)
    assert is_encoded(block, enhancer_bp=80, promoter_bp=70, cache=cache)
    assert not is_encoded(block, enhancer_bp=80, promoter_bp=71, cache=cache)


def test_store_is_lossless_and_pairs_point_to_sequences(tmp_path: Path) -> None:
    tables = small_tables()
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    pairs = tables["pairs"]
    enhancer = tables["enhancers"].set_index("region")["sequence"]
    promoter = tables["promoters"].set_index("region")["sequence"]
    assert len(dataset) == len(pairs)
    assert dataset.cell_lines == sorted(set(pairs["cell_line"]))
    assert dataset.chromosomes == ["chr1", "chr2", "chr10", "chrX"]
    for i, row in enumerate(rows(pairs)):
        assert dataset.enhancer_sequence(dataset.enhancer_row[i]) == enhancer[row["enhancer"]].upper()
        assert dataset.promoter_sequence(dataset.promoter_row[i]) == promoter[row["promoter"]].upper()
        assert dataset.cell_lines[dataset.cell[i]] == row["cell_line"]
        assert dataset.label[i] == row["label"]
        start, end = (int(n) for n in row["enhancer"].split(":")[1].split("-"))
        assert (dataset.enhancer_start[i], dataset.enhancer_end[i]) == (start, end)
        assert dataset.distance[i] == dataset.promoter_start[i] - end
    names = dataset.pair_names(np.array([5, 0]))
    assert names["enhancer"].tolist() == [pairs["enhancer"][5], pairs["enhancer"][0]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ACGTN", min_size=1, max_size=30), min_size=1, max_size=8), st.integers(1, 30))
def test_windows_are_the_centre_or_padded_on_the_right(sequences: list[str], width: int) -> None:
    offsets = np.cumsum([0, *map(len, sequences)])
    out = np.concatenate(list(cut_windows(encode_bases(sequences), offsets, width, chunk=3)))
    for row, sequence in zip(out, sequences, strict=True):
        first = max((len(sequence) - width) // 2, 0)
        assert decode_bases(row) == sequence[first : first + width].ljust(width, "N")


def test_windows_are_no_wider_than_the_longest_sequence(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    longest = small_tables()["enhancers"]["sequence"].str.len().max()
    wide = opened(root, tmp_path / "cache", enhancer_bp=5000, promoter_bp=64)
    assert wide.enhancers.shape[1] == longest
    assert wide.promoters.shape[1] == 64
    narrow = opened(root, tmp_path / "cache", enhancer_bp=40, promoter_bp=64)
    assert narrow.hash == wide.hash
    assert narrow.enhancer_bases(np.array([3, 3, 1])).shape == (3, 40)
    with pytest.raises(ValueError, match="read-only"):
        narrow.enhancers[0, 0] = 1


def test_a_second_start_reads_and_encodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_prism(tmp_path / "data", small_tables())
    first = opened(root, tmp_path / "cache")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the second start parsed or encoded again")

    for name in ("read", "encode", "write_windows"):
        monkeypatch.setattr(store, name, refuse)
    second = opened(root, tmp_path / "cache")
    assert second.path == first.path
    np.testing.assert_array_equal(second.promoter_bases(np.arange(9)), first.promoter_bases(np.arange(9)))


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    tables = small_tables()
    same = [content_hash(DataBlock(root=write_prism(tmp_path / name, tables))) for name in ("a", "b")]
    assert same[0] == same[1]
    change_cell(tables["pairs"], 0, "label", lambda label: 1 - label)
    assert content_hash(DataBlock(root=write_prism(tmp_path / "c", tables))) != same[0]
    blocks = [SyntheticBlock(seed=0), SyntheticBlock(seed=1), SyntheticBlock(form="linear")]
    assert len({content_hash(DataBlock(synthetic=block)) for block in blocks}) == 3


def _open_and_sum(root: Path, cache: Path, gate: Barrier, out: "Queue[tuple[str, int]]") -> None:
    gate.wait()
    dataset = opened(root, cache)
    out.put((str(dataset.path), int(dataset.enhancers.sum())))


def test_two_processes_at_once_share_one_store(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables(per_line=200))
    context = multiprocessing.get_context("fork")
    gate, out = context.Barrier(3), context.Queue()
    workers = [
        context.Process(target=_open_and_sum, args=(root, tmp_path / "cache", gate, out)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    results = {out.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    assert len(results) == 1
    visible = [path.name for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".lock")]
    assert len(visible) == 1


KILLED = """
import os, sys, time
from pathlib import Path
from harness.config.blocks.data import DataBlock
from harness.data import encode, store
slow = encode.encode_bases
def stall(sequences):
    print("encoding", flush=True)
    time.sleep(60)
    return slow(sequences)
encode.encode_bases = stall
store.open_dataset(DataBlock(root=Path(sys.argv[1])), enhancer_bp=80, promoter_bp=70, cache=Path(sys.argv[2]),
                   progress=False)
"""


def test_kill_while_encoding_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    root, cache = write_parquet(tmp_path / "data", small_tables()), tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root), str(cache)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "encoding\n"
        os.kill(process.pid, signal.SIGKILL)
    assert [path for path in cache.iterdir() if not path.name.startswith(".")] == []
    assert any(path.is_dir() for path in cache.iterdir())
    began = time.monotonic()
    dataset = opened(root, cache)
    assert time.monotonic() - began < 30
    assert len(dataset) == 80
    kept = {path.name for path in cache.iterdir() if path.is_dir()}
    assert kept == {dataset.path.parent.name}


def _touch_everything(path: Path, out: "Queue[tuple[int, int]]") -> None:
    process = psutil.Process()
    before = process.memory_full_info().uss
    dataset = EncodedDataset.open(path)
    total = 0
    for first in range(0, len(dataset), 64):
        pairs = np.arange(first, min(first + 64, len(dataset)))
        total += int(dataset.enhancer_bases(pairs).sum()) + int(dataset.promoter_bases(pairs).sum())
    out.put((process.memory_full_info().uss - before, total))


def test_one_more_process_costs_at_most_10_megabytes(tmp_path: Path) -> None:
    """All windows are read by a process that another one shares the store with."""
    block = SyntheticBlock(cell_lines=4, pairs_per_cell=1200, enhancer_bp=1000, promoter_bp=4000)
    dataset = open_dataset(
        DataBlock(synthetic=block), enhancer_bp=1000, promoter_bp=4000, cache=tmp_path, progress=False
    )
    size = dataset.enhancers.nbytes + dataset.promoters.nbytes
    assert size > 12e6
    expected = int(dataset.enhancers[dataset.enhancer_row].sum()) + int(
        dataset.promoters[dataset.promoter_row].sum()
    )
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    child = context.Process(target=_touch_everything, args=(dataset.path, out))
    child.start()
    private, total = out.get(timeout=60)
    child.join(timeout=60)
    assert total == expected
    assert private <= 10e6


def test_a_dataset_travels_by_its_path(tmp_path: Path) -> None:
    dataset = opened(write_parquet(tmp_path / "data", small_tables(per_line=400)), tmp_path / "cache")
    packed = pickle.dumps(dataset)
    assert len(packed) < 1000
    copy = pickle.loads(packed)
    pairs = np.array([7, 3, 7])
    np.testing.assert_array_equal(copy.enhancer_bases(pairs), dataset.enhancer_bases(pairs))


def test_cell_features_are_those_that_all_cell_lines_have(tmp_path: Path) -> None:
    import pandas as pd

    tables = small_tables()
    lines = sorted(set(tables["pairs"]["cell_line"]))
    rows = [(line, "CTCF", i / 2) for i, line in enumerate(lines)] + [
        (lines[0], "JUND", 3.0),
        ("HUVEC", "CTCF", 9.0),
    ]
    tables["cell_features"] = pd.DataFrame(rows, columns=["cell_line", "feature", "value"])
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    assert dataset.feature_names == ["CTCF"]
    assert dataset.features is not None
    assert {line: value.tolist() for line, value in dataset.features.items()} == {
        line: [i / 2] for i, line in enumerate(lines)
    }
