"""What is stored of z_I against the scores, and z_I of the scores against the weights of the checkpoint's file."""

import numpy as np
import pytest

from harness.audit.stored_vectors import DIRECTIONS, PAIRS, strange_vectors
from harness.audit.unit_inspector import AuditInspector
from harness.trial.score import pair_vectors
from harness.trial.score.pair_vectors import pair_vector_rows
from tests.harness.conftest import MakeUnit
from tests.harness.test_ledger import SHORT, said
from tests.harness.test_pair_vectors import scores
from tests.sabotage.records import BREAKS, ways
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

LINES = ["A", "B", "C", "D"]
SENTENCES = {
    "vectors of other pairs stored": "coordinate 1 is none of their principal directions",
    "a coordinate of the stored vectors left out": "coordinate 1 does not vary as they do",
    "stored vectors with labels of other pairs": "label of its vector is stored as ",
    "stored vectors by names of other cell lines": "cell_line of its vector is stored as ",
    "half of the vectors not stored": "vectors of 192 pairs are stored, and 384 were drawn for it",
}


def test_every_way_has_its_sentence() -> None:
    assert set(SENTENCES) == set(BREAKS)
    assert (PAIRS, DIRECTIONS) == (pair_vectors.PAIRS, pair_vectors.DIRECTIONS)


@pytest.mark.parametrize("width", [5, 16, 24])
@pytest.mark.parametrize("change", [None, *SENTENCES])
def test_rows_are_held_against_the_scores(width: int, change: str | None) -> None:
    random = np.random.default_rng(width)
    parts = {
        "val_seen": scores("val_seen", {0: 900, 1: 44}, random.normal(size=(944, width))),
        "val_unseen": scores("val_unseen", {3: 900}, random.normal(size=(900, width))),
    }
    rows = pair_vector_rows(parts, LINES, 3)
    assert len(rows) == 2 * (PAIRS // 3) + 44
    told = list(strange_vectors(rows if change is None else BREAKS[change](rows), parts, LINES, 3))
    if change is None:
        assert told == []
    else:
        assert SENTENCES[change] in told[0]
    assert list(strange_vectors(rows, parts, LINES, 4)), "the draw of another seed"


def test_vectors_that_do_not_vary_are_in_order() -> None:
    parts = {name: scores(name, {0: 8}, np.ones((8, 4))) for name in ("val_seen", "val_unseen")}
    assert list(strange_vectors(pair_vector_rows(parts, LINES, 0), parts, LINES, 0)) == []


@pytest.mark.parametrize("way", list(ways())[-2:], ids=lambda way: way.text)
def test_a_unit_that_stores_other_vectors_is_accused(way: Way, make_unit: MakeUnit) -> None:
    with Tampering() as tampering:
        way.install(tampering)
        unit = make_unit(SHORT, inspector=AuditInspector, twins=False)
        unit.advance()
        assert tampering.changes
    assert any("vector" in text or "z_I of the scores is not" in text for text in said(unit)), said(unit)
