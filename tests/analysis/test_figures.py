"""What is drawn: every row in its place, and what is missing or raised said where it can be read."""

from pathlib import Path

from analysis.documented import DOCUMENTED
from analysis.figures import correction_figure, curves_figure, per_cell_figure, ranking_figure
from analysis.ranking import rank
from analysis.store import Run
from tests.recorded.copies import Copy, write_run, write_unit


def test_ranking_figure_has_a_row_per_rank_and_baseline(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", (Copy("aaa111", {"x.a": 1}),), seeds=(0, 1))
    write_unit(run, Copy("bbb222", {"x.a": 2}, lift=0.3), 0)
    ranked = rank(Run.open(run))
    figure = ranking_figure(ranked)
    configurations, beside = figure.data
    assert list(configurations.y) == ["1. aaa111 a=1", "2. bbb222 a=2"]
    assert list(configurations.marker.symbol) == ["circle", "circle-open"]
    assert configurations.customdata[1][2] == "1/2 units: not started seed 1"
    documented = [f"documented {d.name} (other data)" for d in DOCUMENTED]
    assert list(beside.y) == [*(f"baseline {name}" for name in ranked.baselines["baseline"]), *documented]
    order = figure.layout.yaxis.categoryarray
    assert list(order) == [*beside.y[::-1], "2. bbb222 a=2", "1. aaa111 a=1"]
    assert "documented" not in "".join(ranking_figure(rank(Run.open(run), "nll")).data[1].y)


def test_curves_have_a_lane_per_raised_rule(planted: Path) -> None:
    run = Run.open(planted)
    ranking = rank(run)
    figure = curves_figure(run, "ccc333", ranking.findings)
    own = ranking.findings[ranking.findings["config"] == "ccc333"]
    lanes = [trace for trace in figure.data if trace.yaxis == "y3"]
    assert len(lanes) == 3, "one trace per seed"
    assert {rule for trace in lanes for rule in trace.y} == set(own["rule"])
    assert set(figure.layout.yaxis3.categoryarray) == set(own["rule"])
    assert [trace.name for trace in figure.data if trace.showlegend] == [f"chr8, seed {s}" for s in range(3)]
    unseen = next(trace for trace in figure.data if trace.showlegend)
    rows = run.as_found()
    rows = rows[(rows["config"] == "ccc333") & (rows["seed"] == 0) & (rows["cell_line"] == "macro")]
    rows = rows[
        (rows["split"] == "val_unseen") & (rows["selection"] == "epoch") & (rows["score"] == "corrected")
    ]
    assert list(unseen.y) == rows.sort_values("epoch")["aupr"].tolist()


def test_cell_lines_and_correction_follow_the_ranking(run_path: Path) -> None:
    ranking = rank(Run.open(run_path), "pooled_aupr")
    table = ranking.configurations
    heat = per_cell_figure(ranking).data[0]
    assert list(heat.y) == [f"{row.short} {row.label}" for row in table.itertuples()][::-1]
    assert list(heat.x) == ["C4", "C5"]
    points = correction_figure(ranking).data[0]
    assert list(points.y) == table["pooled_aupr"].tolist()
    assert list(points.x) == table["u_pooled_aupr"].tolist()
