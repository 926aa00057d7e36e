"""What a ranking says in words: intervals, what they cannot be, and how many of how many a warning is about."""

import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console, RenderableType

from analysis.comparison_view import comparison_view
from analysis.criteria import CRITERIA
from analysis.effects import compare
from analysis.flags import by_rule, unseen_lines
from analysis.ranking import rank
from analysis.store import Run
from analysis.terminal import BEYOND, ranking_view
from tests.recorded.copies import Copy, write, write_run

NOISY = Copy("aaa111", {"energy.form": "linear"}, lift=(-0.3, 0.3))
CALM = Copy("bbb222", {"energy.form": "gated"}, "gated", steady=True, lift=(0.0, 0.001, 0.002))


def said(parts: Iterable[RenderableType]) -> str:
    """Everything on one line, as a person reads it."""
    console = Console(width=160, record=True, file=io.StringIO())
    for part in parts:
        console.print(part)
    return " ".join(console.export_text().split())


@pytest.fixture
def two_seeds(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", (NOISY, CALM), seeds=(0, 1))


def test_an_interval_beyond_what_can_be_is_marked(two_seeds: Path) -> None:
    ranking = rank(Run.open(two_seeds))
    rows, text = ranking.configurations, said(ranking_view(ranking))
    intervals = rows[["low", "high"]].to_numpy(float)
    beyond = [(low, high) for low, high in intervals if low < 0 or high > 1]
    assert beyond, "the plant is wide enough to prove it"
    for low, high in intervals:
        mark = BEYOND if low < 0 or high > 1 else ""
        assert f"{low:.3f} to {high:.3f}{mark} " in text, "not clipped, and marked"
    reach = "reaches" if len(beyond) == 1 else "reach"
    assert f"{len(beyond)} of 2 intervals {reach} beyond [0, 1]" in text
    assert "(not clipped): 2 seeds bound little there" in text
    nothing = sum(low <= 0 and high >= 1 for low, high in beyond)
    assert nothing
    assert f"and nothing in {nothing} row" in text
    alone = rank(Run.open(write_run(two_seeds.parent / "calm", (CALM,), seeds=range(3))))
    row = alone.configurations.iloc[0]
    text = said(ranking_view(alone))
    assert BEYOND not in text
    assert f"{row['low']:.3f} to {row['high']:.3f} " in text


def test_a_difference_beyond_one_is_said_to_be_impossible(two_seeds: Path) -> None:
    comparison = compare(Run.open(two_seeds), "energy.form", "linear", "gated")
    interval = comparison.effect.interval
    text = said(comparison_view(comparison, 0.005))
    beyond = interval.low < -1 or interval.high > 1
    assert beyond == ("reaches beyond ±1" in text)
    assert beyond, "the plant is wide enough to prove it"


def test_criteria_know_what_they_can_be() -> None:
    aupr, nll = CRITERIA["aupr"], CRITERIA["nll"]
    assert (aupr.span, nll.span) == ("[0, 1]", "[0, inf)")
    assert aupr.possible(0.0, 1.0)
    assert not aupr.possible(-0.001, 0.5)
    assert not aupr.possible(0.5, 1.001)
    assert nll.possible(0.1, 7.0)
    assert not nll.possible(-0.1, 7.0)
    assert aupr.possible(float("nan"), float("nan")), "no interval is no claim"


def test_warnings_say_in_how_many_cell_lines_of_how_many(tmp_path: Path) -> None:
    overfit = Copy("aaa111", {"x.a": 1}, lift=-0.3, train=0.98)
    run = Run.open(
        write_run(tmp_path / "run", (overfit, Copy("bbb222", {"x.a": 2}, train=0.3)), seeds=(0, 1))
    )
    ranking = rank(run)
    own = ranking.findings[ranking.findings["rule"] == "generalisation_gap"]
    row = by_rule(ranking.findings).set_index("rule").loc["generalisation_gap"]
    lines = set(own["cell_line"]) - {"macro"}
    assert lines == {"C4", "C5"}, "every line beyond the limit has its finding"
    assert unseen_lines(run) == 2
    assert (row["configs"], row["units"], row["lines"]) == (1, 2, 2)
    text = said(ranking_view(ranking))
    assert "in 1 of 2 configurations, 2 of 4 units, 2 of 2 unseen cell lines" in text


def test_of_equal_warnings_the_first_by_name_is_shown() -> None:
    row = {
        "rule": "generalisation_gap",
        "mark": "g",
        "value": 0.5,
        "limit": 0.2,
        "fold": "f",
        "implied": False,
        "epoch": 1,
    }
    row |= {"severity": "hint", "cell_line": "K562", "source": "s", "advice": "a", "evidence": "e"}
    found = pd.DataFrame([{**row, "config": config, "seed": 0} for config in "cab"])
    assert by_rule(found)["config"].tolist() == by_rule(found.iloc[::-1])["config"].tolist() == ["a"]


def test_a_branch_chosen_on_test_is_marked_wherever_it_stands(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", (CALM,), seeds=(0,))
    file = run / "cells" / "bbb222-chr8-0.parquet"
    rows = pq.read_table(file).to_pylist()
    leaking = [{**row, "score": "branch_select", "aupr": 0.987} for row in rows if row["split"] == "test"]
    before = said(ranking_view(rank(Run.open(run))))
    write(run, "cells", file.name, [*rows, *leaking])
    ranking = rank(Run.open(run))
    text = said(ranking_view(ranking))
    assert "branch_select 0.987‡ on test" in text
    assert "it leaks" in text
    assert "‡" not in before
    assert "branch_select" not in before
    assert ranking.configurations["test_aupr"].iloc[0] != pytest.approx(0.987)


def test_a_long_ranking_names_the_option_that_shortens_it(
    two_seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking = rank(Run.open(two_seeds))
    assert "--top" not in said(ranking_view(ranking))
    monkeypatch.setattr("analysis.terminal.MANY_ROWS", 1)
    assert "--top 20 shows the best 20 of these 2 alone" in said(ranking_view(ranking))
    assert "1 more configurations are not shown" in said(ranking_view(ranking, top=1))
