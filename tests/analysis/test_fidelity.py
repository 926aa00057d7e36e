"""A screen says that it is one, what it did not screen, and whether it is to be trusted."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.fidelity.agreement import Agreement, agreement, shared_best, spearman
from analysis.fidelity.record import FILE, TRUST, FidelityRecord, TrustRecord, read_trust, unpromoted
from analysis.fidelity.view import fidelity_sentences, trust_sentence
from analysis.language import catalogue
from analysis.next_step import next_step
from analysis.ranking import rank
from analysis.schema import PROVENANCE
from analysis.store import Run
from tests.analysis.test_language import english
from tests.narrow import present

SCREEN = FidelityRecord("cached", "k", ("model.dropout",), ("loss.sparsity.z_i",))
GOOD = TrustRecord("k", Agreement(0.9, 0.7, 0.96, 24), Agreement(0.95, 0.8, 0.98, 24), 6, 1.0, "2026-01-01")


def screen(folder: Path, record: TrustRecord | None) -> Run:
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps(SCREEN.content()))
    if record is not None:
        (folder / TRUST).write_text(json.dumps(record.content()))
    return Run(folder)


def said(folder: Path, record: TrustRecord | None) -> str:
    return trust_sentence(screen(folder, record), SCREEN)


def test_rank_correlation_is_that_of_scipy() -> None:
    draw = np.random.default_rng(0)
    one = draw.integers(0, 9, 30).astype(float)
    other = one + draw.normal(0, 3, 30).round()
    assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert math.isnan(spearman(one, np.zeros(30)))


def test_the_interval_holds_the_correlation_and_is_seeded() -> None:
    draw = np.random.default_rng(1)
    one = draw.normal(size=24)
    told = agreement(one, one + draw.normal(0, 0.7, 24))
    assert told.low < told.rho < told.high
    assert told == agreement(one, one + np.random.default_rng(1).normal(size=(2, 24))[1] * 0.7)
    same = agreement(one, one)
    assert [same.rho, same.low, same.high] == pytest.approx([1, 1, 1])
    assert same.count == 24


def test_shared_best_follows_the_direction() -> None:
    one, other = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0]
    assert shared_best(one, other, 2, larger=True) == 1.0
    assert shared_best(one, other, 1, larger=True) == 0.0
    assert shared_best(one, other, 1, larger=False) == 1.0


def test_no_record_is_unvalidated(tmp_path: Path) -> None:
    assert said(tmp_path, None).startswith("screen unvalidated: nobody has compared")


def test_a_record_of_another_screen_is_not_believed(tmp_path: Path) -> None:
    assert "of another space, other data or other code" in said(tmp_path, replace(GOOD, key="other"))
    assert "unvalidated" in trust_sentence(screen(tmp_path, GOOD), None)


def test_a_good_record_is_trusted_with_its_figures(tmp_path: Path) -> None:
    text = said(tmp_path, GOOD)
    assert text.startswith(
        "screen trusted: rank correlation with full training 0.90 (95 % 0.70 to 0.96) over 24"
    )
    assert (
        "with itself on other seeds 0.95 (95 % 0.80 to 0.98); of the best 6 by full training it promotes 100%"
        in text
    )


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(GOOD, screened=Agreement(0.7, 0.49, 0.9, 24)), "rank correlation is 0.49, below 0.5"),
        (replace(GOOD, screened=Agreement(math.nan, math.nan, math.nan, 24)), "is unknown, below 0.5"),
        (replace(GOOD, held=0.79), "of the best 6 by full training it promotes 79%, less than 80%"),
        (
            replace(GOOD, screened=Agreement(0.9, 0.7, 0.96, 23)),
            "23 configurations were compared, 24 are needed",
        ),
    ],
)
def test_what_falls_short_is_not_trusted(tmp_path: Path, record: TrustRecord, why: str) -> None:
    text = said(tmp_path, record)
    assert text.startswith("screen not trusted: ")
    assert why in text
    assert text.count("it promotes") == 1


def test_the_limits_themselves_are_enough(tmp_path: Path) -> None:
    edge = replace(GOOD, screened=Agreement(0.8, 0.5, 0.9, 24), held=0.8)
    assert said(tmp_path, edge).startswith("screen trusted")


def test_an_unreadable_record_is_a_problem_and_no_trust(tmp_path: Path) -> None:
    run = screen(tmp_path, None)
    (tmp_path / TRUST).write_text('{"key": "k"}')
    assert read_trust(run) is None
    assert run.problems == ["trust.json cannot be read: KeyError: 'screened'"]
    assert "unvalidated" in trust_sentence(run, SCREEN)


@pytest.fixture
def cached_run(run_path: Path, tmp_path: Path) -> Path:
    """A recorded run whose units say that they were trained on features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "cached"
    shutil.copytree(run_path, folder)
    for file in (folder / "units").glob("*.parquet"):
        table = pq.read_table(file)
        at = table.schema.get_field_index("features")
        column = pa.array(["f" * 64] * len(table), pa.string())
        table = (
            table.append_column("features", column) if at < 0 else table.set_column(at, "features", column)
        )
        pq.write_table(table.replace_schema_metadata(table.schema.metadata), file)
    screen(folder, replace(GOOD, held=0.5))
    return folder


def test_a_ranking_of_a_screen_says_so_in_rows_and_below(cached_run: Path) -> None:
    run = Run.open(cached_run)
    labels = rank(run, "pooled_aupr").configurations["label"]
    assert labels.str.endswith("[cached]").all()
    sentences = list(fidelity_sentences(run))
    assert sentences[0].startswith("cached: trained behind a frozen sequence side")
    assert sentences[1].endswith("the sequence side alone: model.dropout")
    assert sentences[2] == "at rest behind the frozen side, which they have trained: loss.sparsity.z_i"
    assert sentences[3].startswith("screen not trusted: ")


def test_a_run_in_full_says_nothing(run_path: Path) -> None:
    assert list(fidelity_sentences(Run.open(run_path))) == []


def test_every_sentence_is_known_in_chinese(tmp_path: Path) -> None:
    words = present(catalogue("zh"))
    records = [GOOD, replace(GOOD, key="x"), replace(GOOD, held=0.5, screened=Agreement(0.4, 0.1, 0.6, 20))]
    texts = [said(tmp_path, record) for record in records]
    texts += ["promoted: 4 of 24 configurations of the screen in runs/screen, trained in full here"]
    for text in texts:
        for part in text.split("; "):
            assert words.knows(part), part


@pytest.fixture
def ended_screen(cached_run: Path, tmp_path: Path) -> Path:
    """A screen that has ended, in the folder of a sweep that was killed before anything was promoted."""
    folder = tmp_path / "runs" / "screened" / "screen"
    folder.parent.mkdir(parents=True)
    shutil.copytree(cached_run, folder)
    (folder / FILE).write_text(json.dumps(replace(SCREEN, promotes=2).content()))
    return folder


@pytest.mark.parametrize("promotes", [1, 2])
def test_what_a_killed_sweep_has_not_promoted_is_next(promotes: int, ended_screen: Path) -> None:
    (ended_screen / FILE).write_text(json.dumps(replace(SCREEN, promotes=promotes).content()))
    written = {"command": ["python", "-m", "harness.sweep", "x.yaml"]}
    (ended_screen / PROVENANCE).unlink()
    for command in ("start the sweep again with --resume", "python -m harness.sweep x.yaml --resume"):
        run = Run.open(ended_screen)
        assert unpromoted(run) == promotes
        left = "the best one of these is" if promotes == 1 else "the best 2 of these are"
        told = next_step(rank(run))
        assert told == f"{command}: {left} still to be trained in full"
        assert english(present(catalogue("zh"))(f"next: {told}")) == []
        (ended_screen / PROVENANCE).write_text(json.dumps(written))
    record = FidelityRecord("promoted", "", (), (), promoted=promotes, of=4)
    (ended_screen.parent / FILE).write_text(json.dumps(record.content()))
    assert unpromoted(Run.open(ended_screen)) == 0
    assert "still to be trained" not in next_step(rank(Run.open(ended_screen)))


def test_a_screen_of_before_the_field_promotes_nothing(ended_screen: Path) -> None:
    content = SCREEN.content()
    del content["promotes"]
    (ended_screen / FILE).write_text(json.dumps(content))
    run = Run.open(ended_screen)
    assert unpromoted(run) == 0
    assert run.problems == []
