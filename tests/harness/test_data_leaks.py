"""The same DNA never stands on both sides of a split, whatever it is called."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock, FoldBlock, SyntheticBlock
from harness.data.bases import strand_free_hash
from harness.data.dataset import EncodedDataset
from harness.data.folds import Splits, make_folds, split
from harness.data.store import open_dataset
from tests.harness.small_data import LINES, small_tables, write_parquet

REASON = "has a sequence of an evaluation split under another name"
SEQUENCES = {"enhancer": "enhancers", "promoter": "promoters"}


def opened(root: Path, cache: Path) -> EncodedDataset:
    return open_dataset(DataBlock(root=root), enhancer_bp=60, promoter_bp=60, cache=cache, progress=False)


def reverse_complement(sequence: str) -> str:
    return sequence.upper()[::-1].translate(str.maketrans("ACGT", "TGCA"))


def every_fold() -> DataBlock:
    """Each cell line once as test, the next one as validation, with two chromosomes held out in turn."""
    pairs = [("chr1", "chr2"), ("chr2", "chr10"), ("chr10", "chrX"), ("chrX", "chr1"), ("chr1", "chr10")]
    blocks = [
        FoldBlock(test=[line], val=[LINES[(number + 1) % 5]], chromosomes=list(pairs[number]))
        for number, line in enumerate(LINES)
    ]
    return DataBlock(root=Path("data"), folds=blocks)


def dna(dataset: EncodedDataset, pairs: np.ndarray) -> set[str]:
    """Sequences of both elements, the same for both strands, read letter by letter from the store."""
    found = set()
    for pair in pairs:
        for sequence in (
            dataset.enhancer_sequence(dataset.enhancer_row[pair]),
            dataset.promoter_sequence(dataset.promoter_row[pair]),
        ):
            found.add(min(sequence, reverse_complement(sequence)))
    return found


def leaks(dataset: EncodedDataset, parts: Splits) -> list[int]:
    trained = dna(dataset, parts.train)
    return [len(trained & dna(dataset, part)) for part in (parts.val_seen, parts.val_unseen, parts.test)]


@pytest.fixture
def copied(tmp_path: Path) -> EncodedDataset:
    """Every fourth pair has an element with the DNA of one elsewhere: as it is, reversed, or of the other side."""
    tables = small_tables()
    rng = np.random.default_rng(0)
    frames = {side: tables[name].set_index("region")["sequence"].copy() for side, name in SEQUENCES.items()}
    for number, row in enumerate(range(0, 80, 4)):
        target, source = tables["pairs"].iloc[row], tables["pairs"].iloc[int(rng.integers(80))]
        to = ("enhancer", "promoter")[number % 2]
        of = ("enhancer", "promoter")[number // 2 % 2]
        sequence = frames[of][source[of]]
        frames[to][target[to]] = reverse_complement(sequence) if number % 3 == 0 else sequence.lower()
    for side, name in SEQUENCES.items():
        tables[name] = frames[side].reset_index()
    return opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")


def test_no_fold_trains_on_the_dna_that_it_evaluates(copied: EncodedDataset) -> None:
    removed = []
    for fold in make_folds(copied, every_fold()):
        parts = split(copied, fold)
        assert leaks(copied, parts) == [0, 0, 0]
        removed.append(parts.dropped[REASON])
    assert sum(removed) >= 10, "the copies reach across some folds, else nothing was tested"


def test_only_what_shares_dna_is_removed(copied: EncodedDataset) -> None:
    """Training pairs that are left out share a sequence with what is evaluated, every one."""
    for fold in make_folds(copied, every_fold()):
        parts = split(copied, fold)
        held = np.isin(copied.chromosomes, fold.chromosomes)
        seen = ~np.isin(copied.cell_lines, [*fold.test, *fold.val])[copied.cell]
        candidates = np.flatnonzero(seen & ~held[copied.chrom] & ~held[copied.promoter_chrom])
        evaluated = dna(copied, np.concatenate([parts.val_seen, parts.val_unseen, parts.test]))
        gone = set(candidates) - set(parts.train)
        assert len(gone) == parts.dropped[REASON]
        assert all(dna(copied, np.array([pair])) & evaluated for pair in gone)


@pytest.mark.parametrize("part", ["val_seen", "val_unseen", "test"])
def test_one_copy_of_each_evaluation_split_is_found(part: str, tmp_path: Path) -> None:
    block = DataBlock(root=Path("data"), folds=[FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["chr2"])])
    tables = small_tables()
    plain = opened(write_parquet(tmp_path / "plain", tables), tmp_path / "cache")
    before = split(plain, make_folds(plain, block)[0])
    assert before.dropped[REASON] == 0
    source, target = getattr(before, part)[0], before.train[0]
    sequences = tables["enhancers"].set_index("region")["sequence"]
    sequences[tables["pairs"]["enhancer"][target]] = sequences[tables["pairs"]["enhancer"][source]]
    tables["enhancers"] = sequences.reset_index()
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    after = split(dataset, make_folds(dataset, block)[0])
    assert after.dropped[REASON] == 1
    assert after.train.tolist() == before.train.tolist()[1:]
    for name in ("val_seen", "val_unseen", "test"):
        assert getattr(after, name).tolist() == getattr(before, name).tolist()


WINDOW = "has a window of an evaluation split, cut from another sequence"
FLANKS = {
    "one base outside the window": lambda sequence: "T" + sequence[1:],
    "other flanks on both sides": lambda sequence: "GATTACA" + sequence + "CCATGGA",
    "other flanks on the other strand": lambda sequence: reverse_complement("GATTACA" + sequence + "CCATGGA"),
}


@pytest.mark.parametrize("part", ["val_seen", "val_unseen", "test"])
@pytest.mark.parametrize("flanks", FLANKS)
@pytest.mark.parametrize("side", ["enhancer", "promoter"])
def test_what_the_model_reads_alike_is_not_trained_on(
    side: str, flanks: str, part: str, tmp_path: Path
) -> None:
    """The training sequence differs outside its centre of 60 bp alone: a copy of it for every model."""
    block = DataBlock(root=Path("data"), folds=[FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["chr2"])])
    tables = small_tables()
    sequences = tables[f"{side}s"].set_index("region")["sequence"].str.upper()
    plain = opened(write_parquet(tmp_path / "plain", tables), tmp_path / "cache")
    before = split(plain, make_folds(plain, block)[0])
    assert before.dropped[WINDOW] == 0
    source, target = getattr(before, part)[0], before.train[0]
    copy = "AC" * 4 + sequences[tables["pairs"][side][source]][:60].replace("N", "A") + "GT" * 4
    sequences[tables["pairs"][side][source]] = copy
    sequences[tables["pairs"][side][target]] = FLANKS[flanks](copy)
    tables[f"{side}s"] = sequences.reset_index()
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    after = split(dataset, make_folds(dataset, block)[0])
    assert (after.dropped[REASON], after.dropped[WINDOW]) == (0, 1)
    assert after.train.tolist() == before.train.tolist()[1:]
    wide = open_dataset(
        DataBlock(root=tmp_path / "data"),
        enhancer_bp=99,
        promoter_bp=99,
        cache=tmp_path / "cache",
        progress=False,
    )
    assert split(wide, make_folds(wide, block)[0]).dropped[WINDOW] == 0, "a model that sees the flanks"


def test_a_training_side_of_copies_alone_says_why_it_is_empty(tmp_path: Path) -> None:
    tables = small_tables()
    tables["promoters"]["sequence"] = "ACGTACGT"
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    fold = make_folds(dataset, every_fold())[0]
    with pytest.raises(
        UserError, match=r"split train is empty.*beside 24 that overlap or repeat what is evaluated"
    ):
        split(dataset, fold)


def test_the_hash_of_dna_knows_no_strand() -> None:
    assert strand_free_hash("AACNG") == strand_free_hash("CNGTT")
    assert strand_free_hash("AACGNNN") == strand_free_hash("NCGTT") == strand_free_hash("AACG")
    assert strand_free_hash("NN") != strand_free_hash("NNN")
    assert strand_free_hash("AACG") != strand_free_hash("GCAA")
    assert strand_free_hash("ACGT") != strand_free_hash("ACGTA")


def test_synthetic_splits_lose_nothing(tmp_path: Path) -> None:
    block = DataBlock(synthetic=SyntheticBlock(cell_lines=6, pairs_per_cell=60, composition_fingerprint=0.4))
    dataset = open_dataset(block, enhancer_bp=400, promoter_bp=1600, cache=tmp_path, progress=False)
    assert dataset.notes == []
    assert split(dataset, make_folds(dataset, block)[0]).dropped[REASON] == 0
    assert pd.Series(dataset.enhancer_content).nunique() == len(dataset.enhancers)
