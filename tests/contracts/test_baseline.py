"""Every baseline: fitted on training pairs alone, the same again, scores of the right length, better than chance."""

from pathlib import Path

import numpy as np
import pytest

from analysis.metrics import by_cell
from harness.baselines import kmer_boosting
from harness.baselines.baseline import BASELINES, TRAINING_LIMIT
from harness.baselines.features import PairFeatures
from harness.data.dataset import EncodedDataset
from harness.data.folds import split
from tests.contracts.settings import rows
from tests.harness.test_baselines import FOLD, opened, write_dataset

BASELINE = pytest.mark.parametrize("key", rows()["baseline"])


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty trees in place of hundreds: enough where the planted signal is strong."""
    monkeypatch.setitem(kmer_boosting.SETTINGS, "max_iter", 30)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodedDataset, EncodedDataset]:
    """Four cell lines with one shortcut for all baselines, and the same with the unseen lines' labels turned round."""
    made = []
    for name, flip in (("as_it_is", ()), ("turned", ("C", "D"))):
        folder: Path = tmp_path_factory.mktemp(name)
        made.append(opened(write_dataset(folder / "data", flip=flip), folder / "cache"))
    return made[0], made[1]


def scores(key: str, dataset: EncodedDataset) -> np.ndarray:
    """Logits of the test pairs."""
    features, splits = PairFeatures(dataset), split(dataset, FOLD)
    baseline = BASELINES.build(key)
    baseline.fit(features, splits.train)
    logits = baseline.logits(features, splits.test)
    assert logits.shape == splits.test.shape
    assert np.isfinite(logits).all()
    assert baseline.note
    assert baseline.logits(features, splits.test[:0]).shape == (0,)
    np.testing.assert_allclose(baseline.logits(features, splits.test[::-1]), logits[::-1], rtol=1e-9)
    return logits


@BASELINE
def test_it_reads_training_labels_alone_and_finds_their_shortcut(
    data: tuple[EncodedDataset, EncodedDataset], key: str
) -> None:
    dataset, turned = data
    assert (turned.label != dataset.label).mean() == 0.5
    logits = scores(key, dataset)
    np.testing.assert_array_equal(logits, scores(key, turned))
    test = split(dataset, FOLD).test
    aupr = by_cell(logits, dataset.label[test], dataset.cell[test])[0]["aupr"]
    assert aupr > dataset.label[test].mean() + 0.25


@BASELINE
def test_a_large_training_set_is_cut_and_says_so(key: str) -> None:
    baseline = BASELINES.build(key)
    train = np.arange(10, TRAINING_LIMIT + 11)
    kept = baseline.subset(train)
    assert len(np.unique(kept)) == TRAINING_LIMIT
    assert np.isin(kept, train).all()
    assert f"{TRAINING_LIMIT} of {TRAINING_LIMIT + 1}" in baseline.remark
    assert "fitted on" not in BASELINES.build(key).remark
    with pytest.raises(TypeError, match="depth"):
        BASELINES.build(key, depth=3)
