"""z_I of some pairs, as a unit leaves it: which pairs, in which coordinates, and that nothing else changes by it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.trial.episodes.batches import encode_pairs
from harness.trial.score.pair_vectors import DIRECTIONS, leading, pair_vector_rows
from harness.trial.score.predict import SplitScores
from tests.harness.conftest import MakeUnit

ABSENT: dict[str, Any] = {
    key: {} for key in ("z_e", "r_cell", "r_raw", "r_student", "r_teacher", "posterior", "places", "gate")
}


def scores(split: str, counts: dict[int, int], z_i: np.ndarray) -> SplitScores:
    """A split with so many pairs of each cell code."""
    cell = np.repeat(list(counts), list(counts.values()))
    line = np.zeros(len(cell))
    return SplitScores(
        split=split, pairs=np.arange(len(cell)), label=cell % 2, cell=cell, u=line, z_i=z_i, r=line, t=line,
        logits=line[None], **ABSENT,
    )  # fmt: skip


def test_a_unit_leaves_the_vectors_of_its_reported_weights(make_unit: MakeUnit, tmp_path: Path) -> None:
    unit = make_unit({"optimiser.epochs": 1})
    unit.advance()
    rows = pq.read_table(tmp_path / "run" / "pair_vectors").to_pandas()
    assert set(rows["split"]) == {"val_seen", "val_unseen"}
    trainer, size = unit.trainer, unit.settings.evaluation.batch
    z = encode_pairs(trainer.model, unit.dataset, rows["pair"].to_numpy(), trainer.device, size).z_i.numpy()
    whole = z - z.mean(0, dtype=np.float64)
    stored = np.stack(list(rows["z_i"])).astype(np.float64)
    assert stored.shape == (len(rows), min(DIRECTIONS, z.shape[1]))
    assert (rows["share"] == rows["share"][0]).all()
    assert (stored**2).sum() == pytest.approx(rows["share"][0] * (whole**2).sum(), rel=1e-5)
    spread = np.linalg.svd(whole, compute_uv=False)[: stored.shape[1]]
    np.testing.assert_allclose(np.linalg.svd(stored, compute_uv=False), spread, rtol=1e-3, atol=1e-5)
    lines = np.asarray(unit.dataset.cell_lines)[unit.dataset.cell[rows["pair"]]]
    assert (rows["cell_line"] == lines).all()
    assert (rows["label"] == unit.dataset.label[rows["pair"]]).all()


def test_every_cell_line_has_the_same_share_of_at_most_512() -> None:
    random = np.random.default_rng(0)
    splits = {
        "val_seen": scores("val_seen", {0: 900, 1: 900, 2: 30}, random.normal(size=(1830, 20))),
        "val_unseen": scores("val_unseen", {3: 900}, random.normal(size=(900, 20))),
    }
    rows, again, other = (
        pd.DataFrame(pair_vector_rows(splits, ["A", "B", "C", "D"], seed)) for seed in (0, 0, 1)
    )
    assert rows.groupby("cell_line").size().to_dict() == {"A": 128, "B": 128, "C": 30, "D": 128}
    assert rows["z_i"].map(len).eq(DIRECTIONS).all()
    assert not rows.duplicated(["split", "pair"]).any()
    pd.testing.assert_frame_equal(rows, again)
    assert list(rows["pair"]) != list(other["pair"])


def test_leading_directions_hold_what_varies_most() -> None:
    random = np.random.default_rng(1)
    wide = random.normal(size=(60, 3)) * np.array([5.0, 2.0, 0.1])
    kept, share = leading(wide, 2)
    np.testing.assert_allclose(abs(np.corrcoef(kept.T, wide.T)[:2, 2:4].diagonal()), 1.0, atol=0.05)
    assert share == pytest.approx((kept**2).sum() / ((wide - wide.mean(0)) ** 2).sum())
    assert leading(np.ones((4, 3)), 2)[1] == 1.0


def test_a_vector_that_is_not_finite_leaves_no_rows() -> None:
    z = np.ones((8, 4))
    z[3, 1] = np.nan
    splits = {name: scores(name, {0: 8}, z) for name in ("val_seen", "val_unseen")}
    assert pair_vector_rows(splits, ["A"], 0) == []
