"""Scores of others as a run of predictors: their metrics, resampled loci, distances, and files that are wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from analysis.__main__ import main
from analysis.distance import by_distance, matched_aupr, matched_weights
from analysis.errors import UserError
from analysis.imports.rows import identity
from analysis.ranking import rank
from analysis.resample import Curve, cluster_resamples, percentiles
from analysis.store import Run

CRISPR = Path(__file__).parents[3] / "shared" / "data" / "crispr" / "predictions.parquet"
FIGURES = "predictors.json"


def _pairs(count: int = 120, lines: tuple[str, ...] = ("K562", "GM12878")) -> pd.DataFrame:
    """Two predictors' scores of the same pairs, the first one better; distances say something of the label."""
    draw = np.random.default_rng(0)
    label = np.arange(count) % 3 == 0
    start = draw.integers(1, 60, count) * 1_000_000 + np.arange(count) * 10
    gap = draw.integers(2_000, 400_000, count) // np.where(label, 4, 1)
    pairs = pd.DataFrame(
        {
            "enhancer": [f"chr1:{s}-{s + 500}" for s in start],
            "promoter": [f"chr1:{s + g}-{s + g + 1}" for s, g in zip(start, gap, strict=True)],
            "cell_line": [lines[at % len(lines)] for at in range(count)],
            "label": label.astype(int),
            "distance": gap,
        }
    )
    good, bad = (draw.normal(size=count) + shift * label for shift in (2.0, 0.5))
    return pd.concat([pairs.assign(predictor="good", score=good), pairs.assign(predictor="bad", score=bad)])


def _imported(frame: pd.DataFrame, folder: Path, *options: str) -> Run:
    frame.to_csv(folder / "scores.csv", index=False)
    out = ("--out", str(folder / "run"), "--resamples", "100")
    assert main(["import-predictions", str(folder / "scores.csv"), *out, *options]) == 0
    return Run.open(folder / "run")


@pytest.mark.skipif(not CRISPR.is_file(), reason="the CRISPR scores (../shared/data) are not on this machine")
def test_scores_of_crispr_pairs_have_their_known_auprs(tmp_path: Path) -> None:
    assert (
        main(["import-predictions", str(CRISPR), "--out", str(tmp_path / "run"), "--resamples", "100"]) == 0
    )
    run = Run.open(tmp_path / "run")
    ranking = rank(run)
    values = {name: round(value, 4) for name, value in ranking.configurations[["label", "value"]].to_numpy()}
    assert values == {
        "dhs_over_distance": 0.5028, "h3k27ac_over_distance": 0.4728, "distance": 0.4377, "h3k27ac": 0.103,
        "constant": 0.0455,
    }  # fmt: skip
    assert ranking.baselines[["baseline", "aupr"]].round(4).to_numpy().tolist() == [["distance", 0.4377]]
    told = run.document(FIGURES)
    assert told["clusters"] == "2 Mb bins by enhancer midpoint"
    assert len(told["differences"]) == 20
    matched = {row["predictor"]: row["aupr"] for row in told["matched"]}
    assert matched["distance"] < 2 * matched["constant"], "little of the distance is left"
    assert matched["constant"] == pytest.approx(0.0455, abs=1e-3), "the prevalence stays"


def test_metrics_per_cell_line_macro_and_pooled(tmp_path: Path) -> None:
    frame = _pairs()
    cells = _imported(frame, tmp_path).as_found()
    good = frame[frame["predictor"] == "good"]
    rows = cells[cells["config"] == identity("good")].set_index("cell_line")
    assert rows.loc["pooled", "aupr"] == pytest.approx(average_precision_score(good["label"], good["score"]))
    each = [average_precision_score(p["label"], p["score"]) for _, p in good.groupby("cell_line")]
    assert rows.loc["macro", "aupr"] == pytest.approx(np.mean(each))
    assert rows["nll"].isna().all(), "a score is no logit"
    assert (rows.loc[["K562", "pooled"], "auc_design_effect"] >= 1).all()


def test_probabilities_have_a_likelihood(tmp_path: Path) -> None:
    frame = _pairs()
    frame["score"] = 1 / (1 + np.exp(-frame["score"]))
    ranking = rank(_imported(frame, tmp_path, "--probabilities"), "nll")
    assert ranking.configurations["label"].tolist() == ["good", "bad"]


def test_intervals_and_differences_are_of_shared_loci(tmp_path: Path) -> None:
    told = _imported(_pairs(), tmp_path).document(FIGURES)
    assert told["common"] == 120
    values = {(r["predictor"], r["cell_line"], r["metric"]): r for r in told["intervals"]}
    macro = values[("good", "macro", "aupr")]
    assert macro["low"] < macro["value"] < macro["high"]
    (difference,) = (row for row in told["differences"] if row["cell_line"] == "macro")
    gain = values[("bad", "macro", "aupr")]["value"] - macro["value"]
    assert difference["difference"] == pytest.approx(gain)
    assert difference["high"] < 0


def test_what_a_file_does_not_have_is_not_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = _pairs().drop(columns=["enhancer", "promoter", "distance"])
    _imported(frame, tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert "no interval: the file has neither regions of enhancers nor chromosomes" in said
    assert "by distance: not evaluated" in said
    assert "same 120 pairs" in said, "rows in one order are the same pairs"


def test_clusters_of_chromosomes_are_called_coarse(tmp_path: Path) -> None:
    frame = _pairs().drop(columns=["enhancer", "promoter"])
    frame["chromosome"] = [f"chr{1 + at % 5}" for at in range(120)] * 2
    told = _imported(frame, tmp_path).document(FIGURES)
    assert (told["clusters"], told["count"]) == ("chromosomes (coarse)", 5)


def test_seeds_of_a_predictor_are_units(tmp_path: Path) -> None:
    frame = pd.concat([_pairs().assign(seed=seed) for seed in (0, 1)])
    frame.loc[frame["seed"] == 1, "score"] *= -1
    assert rank(_imported(frame, tmp_path)).configurations["seeds"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("label", 2, "row 4, column 'label': '2' is not 0 or 1"),
        ("score", "high", "row 4, column 'score': 'high' is not a number"),
        ("distance", -5, "row 4, column 'distance': '-5' is not a number from 0 on"),
        ("enhancer", "chr1", "row 4, column 'enhancer': 'chr1' is no region such as chr1:1000-1500"),
        ("predictor", "", "row 4: column 'predictor' is empty"),
    ],
)
def test_a_wrong_row_is_one_sentence(column: str, value: Any, said: str, tmp_path: Path) -> None:
    frame = _pairs().reset_index(drop=True).astype(object)
    frame.loc[3, column] = value
    with pytest.raises(UserError) as error:
        _imported(frame, tmp_path)
    assert said in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"], "nothing is written"


def test_a_name_before_regions_is_told(tmp_path: Path) -> None:
    frame = _pairs().reset_index(drop=True)
    frame.loc[0, "enhancer"] = "foo"
    with pytest.raises(UserError, match="row 1, column 'enhancer': 'foo' is no region such as"):
        _imported(frame, tmp_path)


def test_pairs_twice_and_two_labels_and_columns_are_named(tmp_path: Path) -> None:
    frame = _pairs().reset_index(drop=True)
    with pytest.raises(UserError, match=r"row 241: this pair of good is in row 1 already"):
        _imported(pd.concat([frame, frame.iloc[:1]]), tmp_path)
    frame["label"] = [1 - label if at == 120 else label for at, label in enumerate(frame["label"])]
    with pytest.raises(UserError, match=r"row 121: label 0, where another row of this pair has 1"):
        _imported(frame, tmp_path)
    with pytest.raises(UserError, match=r"has no column 'score'; did you mean 'scores'"):
        _imported(frame.rename(columns={"score": "scores"}), tmp_path)


def test_weighted_curves_agree_with_scikit_learn() -> None:
    draw = np.random.default_rng(1)
    score, label = draw.integers(0, 20, 300).astype(float), draw.integers(0, 2, 300)
    weights = draw.integers(0, 3, 300).astype(float)
    aupr, auc, f1 = Curve(score, label).metrics(weights)
    assert aupr == pytest.approx(average_precision_score(label, score, sample_weight=weights))
    assert auc == pytest.approx(roc_auc_score(label, score, sample_weight=weights))
    best = max(f1_score(label, score >= cut, sample_weight=weights) for cut in np.unique(score))
    assert f1 == pytest.approx(best)


def test_resampled_clusters_are_drawn_whole() -> None:
    cluster = np.repeat(np.arange(10), 4)
    drawn = cluster_resamples(cluster, lambda weights: weights, resamples=50)
    assert (drawn.reshape(50, 10, 4) == drawn.reshape(50, 10, 4)[:, :, :1]).all()
    assert (drawn.sum(axis=1) == 40).all()
    assert all(np.isnan(percentiles(np.array([np.nan, 1.0]))))


def test_matched_negatives_take_the_distance_out() -> None:
    draw = np.random.default_rng(2)
    label = draw.random(20_000) < 0.1
    gap = np.exp(draw.normal(12 - 1.5 * label, 1))
    weights = matched_weights(label, gap)
    means = [np.average(np.log(gap[part]), weights=weights[part]) for part in (label, ~label)]
    assert means[0] == pytest.approx(means[1], abs=0.05)
    shares = weights[label].sum() / weights.sum()
    assert shares == pytest.approx(label.mean(), abs=1e-3)
    cell = np.full(label.size, "K562")
    assert Curve(-gap, label).aupr(np.ones(label.size)) > 0.4
    assert matched_aupr(-gap, label, cell, gap) < 0.14


def test_distance_bins_leave_out_lines_with_few_pairs() -> None:
    label = np.array([1, 0] * 10 + [1, 1, 0, 0])
    cell = np.array(["A"] * 20 + ["B"] * 4)
    (near, far) = by_distance(label, label, cell, np.array([5_000] * 20 + [2_000_000] * 4))
    assert (near.label, near.n, near.lines, near.aupr) == ("0-10", 20, 1, 1.0)
    assert (far.label, far.n, far.lines) == ("1000+", 4, 0)
    assert np.isnan(far.aupr)


def test_predictors_on_different_pairs_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = _pairs()
    first = frame["enhancer"].isin(frame["enhancer"].iloc[:60])
    apart = frame[(frame["predictor"] == "good") == first]
    run = _imported(apart, tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert "pairs: 0 of 120 are scored by all predictors" in said
    assert "paired differences: not evaluated, no pair is scored by all of them" in said
    assert main([str(run.path)]) == 0


def test_a_pair_is_shared_by_every_seed_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = _pairs().assign(seed=0)
    again = frame[(frame["predictor"] == "good") & (frame["cell_line"] == "K562")].assign(seed=1)
    run = _imported(pd.concat([frame, again]), tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert "pairs: 60 of 120 are scored by all predictors" in said
    assert run.document(FIGURES)["common"] == 60
    assert "(matched), of each one's first seed" in said
