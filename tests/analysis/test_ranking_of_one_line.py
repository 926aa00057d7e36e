"""Where a ranking is of one unseen cell line per fold, pooled AUPR says no more of R_E than macro AUPR does."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.ranking import rank
from analysis.store import Run
from tests.analysis.ranked_text import ranked_text
from tests.recorded.copies import Copy, write_run


@pytest.mark.parametrize(("alone", "marked"), [(True, True), (False, False)])
def test_pooled_over_one_line_is_rank_invariant(alone: bool, marked: bool, tmp_path: Path) -> None:
    copies = [
        Copy(name, {"x.a": at}, unit={"rank_invariant": True}) for at, name in enumerate(("aaa111", "bbb222"))
    ]
    run = write_run(tmp_path / "run", copies)
    for file in (run / "cells").glob("*.parquet"):
        rows = pq.read_table(file)
        if alone:
            pq.write_table(rows.filter(pc.not_equal(rows["cell_line"], "C5")), file)
    pooled = rank(Run.open(run), "pooled_aupr")
    assert list(pooled.configurations["rank_invariant"]) == [marked] * 2
    said = ranked_text(pooled)
    assert ("ranking within the one unseen cell line of a fold" in said) is alone
    assert ("see NLL, or name two val lines per fold" in said) is alone
    assert rank(Run.open(run)).configurations["rank_invariant"].all(), "macro AUPR, whatever lines there are"
    assert not rank(Run.open(run), "nll").configurations["rank_invariant"].any()
