"""Baselines: counts against a slow reference, no label of an evaluation split is read, one table per fold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from analysis.errors import UserError
from analysis.metrics import by_cell
from analysis.schema import TABLES
from harness.baselines import kmer_boosting
from harness.baselines.baseline import BASELINES
from harness.baselines.evaluate import SCORED
from harness.baselines.features import PairFeatures
from harness.baselines.kmers import canonical_index, kmer_counts
from harness.baselines.write import write_baselines
from harness.config.blocks.data import DataBlock
from harness.data.bases import encode_bases
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds, split
from harness.data.store import open_dataset
from harness.sweep.baseline_task import missing
from tests.harness.command import command

ROOT = Path(__file__).parents[2]
EPI = ROOT.parent / "shared" / "data" / "epi"
CELLS = ("A", "B", "C", "D")
CHROMOSOMES = ("chr1", "chr2", "chr3", "chr4")
LOCI = 48


def write_dataset(folder: Path, *, flip: tuple[str, ...] = ()) -> Path:
    """Four cell lines that share all loci; a positive's promoter is rich in GC and its elements are close.

    Labels depend on the locus alone; cell lines in `flip` have all labels the other way round.
    """
    source = np.random.default_rng(3)
    enhancers, promoters, pairs = {}, {}, []
    for chrom in CHROMOSOMES:
        for locus in range(LOCI):
            label = int(source.random() < 0.5) if locus > 1 else locus
            start = 100_000 * (locus + 1)
            gap = int(source.integers(1_000, 5_000)) if label else int(source.integers(8_000, 40_000))
            for number, cell in enumerate(CELLS):
                e, p = start + 10 * number, start + 200 + gap + 10 * number
                enhancer, promoter = f"{cell}|{chrom}:{e}-{e + 60}", f"{cell}|{chrom}:{p}-{p + 80}"
                share = [0.15, 0.35, 0.35, 0.15] if label else [0.35, 0.15, 0.15, 0.35]
                enhancers[enhancer] = "".join(source.choice(list("ACGT"), 60))
                promoters[promoter] = "".join(source.choice(list("ACGT"), 80, p=share))
                pairs.append((enhancer, promoter, cell, 1 - label if cell in flip else label))
    folder.mkdir(parents=True)
    columns = ["enhancer", "promoter", "cell_line", "label"]
    pd.DataFrame(pairs, columns=columns).to_parquet(folder / "pairs.parquet")
    for name, table in (("enhancers", enhancers), ("promoters", promoters)):
        frame = pd.DataFrame({"region": list(table), "sequence": list(table.values())})
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


def opened(folder: Path, cache: Path) -> EncodedDataset:
    block = DataBlock(root=folder)
    return open_dataset(block, enhancer_bp=100, promoter_bp=100, cache=cache, progress=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    folder = tmp_path_factory.mktemp("baselines")
    return opened(write_dataset(folder / "data"), folder / "cache")


FOLD = Fold("fold0", test=("D",), val=("C",), chromosomes=("chr1", "chr2"))


def slow_counts(sequence: str, k: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for i in range(len(sequence) - k + 1):
        word = sequence[i : i + k]
        if "N" not in word:
            word = min(word, word[::-1].translate(str.maketrans("ACGT", "TGCA")))
            counts[word] = counts.get(word, 0) + 1
    return counts


@pytest.mark.parametrize(("k", "columns"), [(1, 2), (2, 10), (3, 32), (4, 136), (5, 512)])
def test_canonical_columns(k: int, columns: int) -> None:
    index = canonical_index(k)
    assert index.max() + 1 == columns
    assert len(index) == 4**k
    assert set(index) == set(range(columns))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ACGTN", max_size=30), max_size=6), st.integers(1, 5))
def test_counts_equal_a_dictionary(sequences: list[str], k: int) -> None:
    lengths = [len(sequence) for sequence in sequences]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    counts = kmer_counts(encode_bases(sequences), offsets, k)
    assert counts.shape == (len(sequences), canonical_index(k).max() + 1)
    for row, sequence in zip(counts, sequences, strict=True):
        expected = np.zeros_like(row)
        for word, count in slow_counts(sequence, k).items():
            code = int("".join(str("ACGT".index(base)) for base in word), 4)
            expected[canonical_index(k)[code]] += count
        np.testing.assert_array_equal(row, expected)


def test_counts_do_not_depend_on_the_strand_or_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(0)
    bases = source.integers(0, 5, 400).astype(np.uint8)
    offsets = np.array([0, 90, 90, 300, 400])
    forward = kmer_counts(bases, offsets, 4)
    turned = np.concatenate(
        [np.where(s < 4, 3 - s, 4)[::-1] for s in np.split(bases.astype(np.int64), offsets[1:-1])]
    )
    np.testing.assert_array_equal(kmer_counts(turned.astype(np.uint8), offsets, 4), forward)
    monkeypatch.setattr("harness.baselines.kmers._BASES_AT_ONCE", 100)
    np.testing.assert_array_equal(kmer_counts(bases, offsets, 4), forward)


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty trees in place of hundreds: enough where the planted signal is strong."""
    monkeypatch.setitem(kmer_boosting.SETTINGS, "max_iter", 30)


def test_locus_lookup_by_hand(dataset: EncodedDataset) -> None:
    features, splits = PairFeatures(dataset), split(dataset, FOLD)
    lookup = BASELINES.build("locus_lookup")
    lookup.fit(features, splits.train)
    prior = dataset.label[splits.train].mean()
    for part, neighbours in ((splits.test, 2), (splits.val_seen, 1)):
        label = dataset.label[part].astype(float)
        promoter = (neighbours * label + prior) / (neighbours + 1)
        expected = (neighbours * label + promoter) / (neighbours + 1)
        np.testing.assert_allclose(expit(lookup.logits(features, part)), expected, rtol=1e-12)


def test_labels_that_a_baseline_is_not_fitted_on_are_hidden(dataset: EncodedDataset) -> None:
    features, train = PairFeatures(dataset), split(dataset, FOLD).train
    known = np.isin(np.arange(len(dataset)), train)
    seen = features.hiding(known)
    np.testing.assert_array_equal(seen.labels(train), dataset.label[train])
    assert set(seen.dataset.label[~known]) == {-1}
    assert (dataset.label >= 0).all()
    with pytest.raises(UserError, match=r"labels of 1 pairs that it is not fitted on"):
        seen.labels(np.append(train, np.flatnonzero(~known)[:1]))
    np.testing.assert_array_equal(
        seen.kmers(("promoters",), 2, train), features.kmers(("promoters",), 2, train)
    )


def test_pairs_across_chromosomes_have_no_distance(dataset: EncodedDataset) -> None:
    class Across:
        distance = np.array([-1, 0, 999])

    features = PairFeatures(dataset)
    features.dataset = Across()  # type: ignore[assignment]  # no more than a distance is read
    np.testing.assert_allclose(features.log_distance(np.arange(3)), [np.nan, 0.0, np.log(1000.0)])


@pytest.mark.usefixtures("few_trees")
def test_each_fold_has_one_table_of_baselines_computed_once(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, other = tmp_path / "cache", Fold("other", ("A",), ("B",), ("chr3",))
    files = write_baselines(dataset, [FOLD, other], tmp_path / "run", cache)
    assert files == [tmp_path / "run" / "baselines" / f"{fold.id}.parquet" for fold in (FOLD, other)]
    table = pq.read_table(files[0])
    assert table.schema.equals(TABLES["baselines"])
    frame = table.to_pandas()
    cells = {"val_unseen": ("C",), "val_seen": ("A", "B"), "test": ("D",)}
    expected = {
        (row.key, name, cell)
        for row in BASELINES
        for name in SCORED
        for cell in (*cells[name], "macro", "pooled")
    }
    assert set(zip(frame.baseline, frame.split, frame.cell_line, strict=True)) == expected
    assert len(frame) == len(expected)
    assert set(frame.fold) == {FOLD.id}
    assert frame[["n", "prevalence", "aupr", "auc", "nll", "note"]].notna().all(axis=None)
    assert (
        frame[frame.cell_line == "pooled"].groupby("split")["n"].first()
        == pd.Series({"test": 2 * LOCI, "val_seen": 4 * LOCI, "val_unseen": 2 * LOCI})
    ).all()

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("computed twice")

    monkeypatch.setattr("harness.baselines.write.evaluate_fold", refuse)
    again = write_baselines(dataset, [FOLD], tmp_path / "second", cache)
    assert pq.read_table(again[0]).equals(table)
    renamed = Fold("again", FOLD.test, FOLD.val, FOLD.chromosomes)
    assert write_baselines(dataset, [renamed], tmp_path / "second", cache) == again, "a fold is its content"
    moved = Fold("fold0", FOLD.test, FOLD.val, ("chr1",))
    with pytest.raises(AssertionError, match="computed twice"):
        write_baselines(dataset, [moved], tmp_path / "third", cache)
    assert not [file for file in tmp_path.rglob(".*") if file.is_file()]


@pytest.mark.usefixtures("few_trees")
def test_baselines_of_other_data_folds_or_code_are_missing(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, moved = tmp_path / "run", Fold("fold0", FOLD.test, FOLD.val, ("chr1",))
    write_baselines(dataset, [FOLD], run, tmp_path / "cache")
    assert missing(run, [FOLD, moved], dataset.hash) == [moved]
    assert missing(run, [FOLD], "e" * 64) == [FOLD]
    for name in ("_code", "package_versions"):
        with monkeypatch.context() as patch:
            patch.setattr(f"harness.baselines.write.{name}", lambda: "another")
            assert missing(run, [FOLD], dataset.hash) == [FOLD]
    (run / "baselines" / f"{FOLD.id}.parquet").write_bytes(b"cut short")
    assert missing(run, [FOLD], dataset.hash) == [FOLD]
    write_baselines(dataset, [FOLD], run, tmp_path / "cache")
    assert missing(run, [FOLD], dataset.hash) == []


@pytest.mark.usefixtures("few_trees")
def test_the_command_prints_every_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    ran = command("harness.baselines", "data", "--cells", "--cache", "cache")
    assert ran.returncode == 0, ran.stderr
    assert all(row.key in ran.stdout for row in BASELINES)
    assert "reporting only" in ran.stdout
    assert "chance" in ran.stdout
    assert (tmp_path / "cache").is_dir()


def test_a_wrong_source_is_one_sentence(tmp_path: Path) -> None:
    ran = command("harness.baselines", "synthetic:gate", "--cache", str(tmp_path))
    assert ran.returncode == 2
    assert "did you mean 'gated'" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(not EPI.is_dir(), reason=f"{EPI} is not here")
def test_promoters_alone_rank_real_pairs_at_new_loci(tmp_path: Path) -> None:
    block = DataBlock(root=EPI)
    data = open_dataset(block, enhancer_bp=400, promoter_bp=1600, cache=tmp_path, progress=False)
    features, splits = PairFeatures(data), split(data, make_folds(data, block)[0])
    baseline = BASELINES.build("promoter_kmer_boosting")
    baseline.fit(features, splits.train)
    pairs = splits.val_seen
    rows = by_cell(baseline.logits(features, pairs), data.label[pairs], data.cell[pairs].astype(str))
    (macro,) = (row for row in rows if row["cell_line"] == "macro")
    assert 0.49 < macro["prevalence"] < 0.51
    assert 0.58 < macro["aupr"] < 0.67
