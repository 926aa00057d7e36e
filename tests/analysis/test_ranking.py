"""Ranking of the recorded run and of edited copies of it: order, intervals, ties, baselines, flags, what is left out."""

import io
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analysis.errors import UserError
from analysis.figures import curves_figure, per_cell_figure
from analysis.flags import counts_against_health
from analysis.folds import corrected_interval
from analysis.intervals import t_interval
from analysis.labels import labels
from analysis.ranking import Ranking, rank
from analysis.store import Run
from analysis.terminal import ranking_view
from tests.recorded.copies import Copy, recorded, write, write_run, write_unit


@pytest.fixture(scope="module")
def ranking(planted: Path) -> Ranking:
    return rank(Run.open(planted))


def macro(
    run: Path, column: str = "aupr", cell_line: str = "macro", split: str = "val_unseen"
) -> pd.DataFrame:
    """Values per configuration and seed, straight from the rows."""
    cells = Run.open(run).table("cells")
    own = cells[
        (cells["selection"] == "best_on_validation")
        & (cells["split"] == split)
        & (cells["cell_line"] == cell_line)
        & (cells["score"] == "corrected")
        & (cells["prevalence_mode"] == "as_found")
    ]
    return own.pivot_table(index="config", columns="seed", values=column)


def test_order_value_and_interval(planted: Path, ranking: Ranking) -> None:
    rows = ranking.configurations
    values = macro(planted)
    assert list(rows["config"]) == list(values.mean(axis=1).sort_values(ascending=False).index)
    assert rows["value"].is_monotonic_decreasing
    for row in rows.itertuples():
        interval = t_interval(values.loc[str(row.config)])
        assert (row.value, row.low, row.high) == pytest.approx((interval.mean, interval.low, interval.high))
    assert rows["config"].iloc[-1] == "ccc333"
    assert math.isnan(rows["fold_low"].iloc[0])


def test_ties_and_probability_against_the_best(planted: Path, ranking: Ranking) -> None:
    rows = ranking.configurations.set_index("config")
    values = macro(planted)
    best = ranking.configurations["config"].iloc[0]
    assert rows.loc[best, "tie"] == "best"
    assert rows.loc["ccc333", "tie"] == "worse"
    gain = t_interval(values.loc["ccc333"] - values.loc[best])
    assert rows.loc["ccc333", "difference"] == pytest.approx(gain.mean)
    assert rows.loc["ccc333", "difference_high"] == pytest.approx(gain.high)
    beats = np.mean([a > b for a in values.loc["aaa111"] for b in values.loc[best]])
    assert rows.loc["aaa111", "p_better"] == pytest.approx(beats)
    wide = rank(Run.open(planted), rope=1.0).configurations
    with pytest.raises(
        UserError, match=r"^--rope 5: expected a difference of macro AUPR, which lies in \[0, 1\]$"
    ):
        rank(Run.open(planted), rope=5.0)
    assert set(wide["tie"]) == {"best", "equal"}


def test_criteria_order_differently(planted: Path) -> None:
    pooled = rank(Run.open(planted), "pooled_aupr").configurations
    assert pooled["value"].to_numpy() == pytest.approx(pooled["pooled_aupr"].to_numpy())
    assert list(pooled["config"][:2]) == ["bbb222", "ddd444"], "the lifted ones"
    likelihood = rank(Run.open(planted), "nll").configurations
    assert likelihood["value"].is_monotonic_increasing
    assert likelihood["nll"].iloc[0] == pytest.approx(macro(planted, "nll", "pooled").mean(axis=1).min())


def test_u_only_and_test_columns(run_path: Path) -> None:
    ranking = rank(Run.open(run_path))
    rows = ranking.configurations
    # At cell scope both energies are rank-invariant within a cell line.
    assert rows["aupr"].to_numpy() == pytest.approx(rows["u_aupr"].to_numpy())
    assert rows["rank_invariant"].all()
    cells = Run.open(run_path).as_found()
    own = cells[(cells["selection"] == "best_on_validation") & (cells["score"] == "u_only")]
    pooled = own[(own["split"] == "val_unseen") & (own["cell_line"] == "pooled")].groupby("config")["aupr"]
    assert rows.set_index("config")["u_pooled_aupr"].to_dict() == pytest.approx(pooled.mean().to_dict())
    tested = macro(run_path, split="test").mean(axis=1)
    assert rows.set_index("config")["test_aupr"].to_dict() == pytest.approx(tested.to_dict())
    assert ranking.regret == pytest.approx(tested.max() - tested[rows["config"].iloc[0]])


def test_baselines_stand_beside(run_path: Path, ranking: Ranking) -> None:
    stored = Run.open(run_path).table("baselines")
    own = stored[(stored["split"] == "val_unseen") & (stored["cell_line"] == "macro")]
    best = own.sort_values("aupr", ascending=False)
    assert list(ranking.baselines["baseline"]) == best["baseline"].tolist()
    assert len(best) > 4
    assert ranking.baselines["aupr"].to_numpy() == pytest.approx(best["aupr"].to_numpy())


def test_flagged_configuration_is_marked_and_left_out_by_healthy(tmp_path: Path) -> None:
    small = {"parameters": 1000}
    healthy = Copy(
        "aaa111", {"loss.ranking.weight": 0.5}, "gated", steady=True, lift=-0.1, train=0.3, unit=small
    )
    overfit = Copy(
        "bbb222", {"loss.ranking.weight": 1.0}, "gated", train=0.98, epoch={"loss": -0.05}, unit=small
    )
    run = write_run(tmp_path / "run", (healthy, overfit))
    flags = rank(Run.open(run)).configurations.set_index("config")["flags"]
    assert {"generalisation_gap", "negative_loss"} <= set(flags["bbb222"])
    assert not {"generalisation_gap", "negative_loss"} & set(flags["aaa111"])
    assert len(flags) == 2
    implied = rank(Run.open(run)).findings
    implied = implied[implied["implied"] & (implied["config"] == "aaa111")]
    assert len(implied)
    assert not set(implied["rule"]) & set(flags["aaa111"]), "what data imply is said once per run"
    kept = rank(Run.open(run), healthy=True)
    assert list(kept.configurations["config"]) == ["aaa111"]
    assert kept.unhealthy == 1
    shutil.rmtree(run / "units")
    write_unit(run, overfit, 0)
    with pytest.raises(UserError, match=r"--healthy leaves no configuration.*negative_loss"):
        rank(Run.open(run), healthy=True)


def test_unfinished_units_are_counted_and_censored_ones_marked(tmp_path: Path) -> None:
    designs = (
        Copy("aaa111", {"x.a": 1}),
        Copy("bbb222", {"x.a": 2}, status="running"),
        Copy("ccc333", {"x.a": 3}, status="pruned"),
    )
    run = write_run(tmp_path / "run", designs, seeds=(0, 1))
    result = rank(Run.open(run))
    rows = result.configurations.set_index("config")
    assert set(rows.index) == {"aaa111", "ccc333"}
    assert result.left_out == {"running": 2}
    assert rows.loc["ccc333", "censored"] == 2
    assert math.isnan(rows["test_aupr"]["ccc333"])
    cells = Run.open(run).table("cells")
    epochs = cells[
        (cells["config"] == "ccc333")
        & (cells["split"] == "val_unseen")
        & (cells["cell_line"] == "macro")
        & (cells["score"] == "corrected")
        & (cells["prevalence_mode"] == "as_found")
    ]
    assert rows.loc["ccc333", "value"] == pytest.approx(epochs.groupby("seed")["aupr"].max().mean())


def test_what_the_audit_stopped_is_averaged_into_nothing(tmp_path: Path) -> None:
    reason = "audit: sampler is broken (contract): at step 12 of epoch 2, an episode mixes cell lines"
    run = write_run(tmp_path / "run", (Copy("aaa111", {"x.a": 1}), Copy("bbb222", {"x.a": 2})))
    stopped = Copy("aaa111", {"x.a": 1}, lift=0.3, status="stopped", unit={"reason": reason})
    write_unit(run, stopped, 2)
    write_unit(run, Copy("ccc333", {"x.a": 3}, lift=0.4, status="stopped", unit={"reason": reason}), 0)
    result = rank(Run.open(run))
    rows = result.configurations.set_index("config")
    assert set(rows.index) == {"aaa111", "bbb222"}
    assert rows.loc["aaa111", "value"] == pytest.approx(macro(run).loc["aaa111", [0, 1]].mean())
    assert rows.loc["aaa111", "lacking"] == "2/3 units: stopped by the audit seed 2"
    assert not rows.loc["aaa111", "censored"]
    assert rows.loc["aaa111", "behind"]
    assert result.left_out == {"stopped by the audit": 2, "not started": 2}
    said = " ".join(printed(result).split())
    assert (
        "stopped by the audit: 1 unit of a=1 (aaa111), in no figure above; sampler is broken (contract): at step 12"
        in said
    )
    assert "(ccc333), in no figure above" in said
    figure = per_cell_figure(result)
    assert len(figure.data[0].y) == 2


def test_a_run_that_the_audit_stopped_whole_says_why(tmp_path: Path) -> None:
    reason = "audit: M22 support is inert (input): it does not read its support set"
    write_unit(tmp_path, Copy("a", {}, status="stopped", unit={"reason": reason}), 0)
    with pytest.raises(
        UserError, match=r"\(1 stopped by the audit\); the first reason given is: audit: M22 support"
    ):
        rank(Run.open(tmp_path))


def test_seed_is_the_unit_and_folds_have_their_own_interval(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", (Copy("aaa111", {}),), seeds=(0, 1), folds=("chr8", "chr10x"))
    lines = {"name": "x", "test": ["A"], "val": ["B"], "chromosomes": ["chr8"]}
    folds = {"chr8": lines, "chr10x": {**lines, "test": ["C"], "val": ["D"]}}
    (run / "plan.json").write_text(json.dumps({"folds": folds, "seeds": [0, 1]}))
    row = rank(Run.open(run)).configurations.iloc[0]
    cells = Run.open(run).table("cells")
    own = cells[
        (cells["selection"] == "best_on_validation")
        & (cells["split"] == "val_unseen")
        & (cells["cell_line"] == "macro")
        & (cells["score"] == "corrected")
        & (cells["prevalence_mode"] == "as_found")
    ]
    seeds = t_interval(own.groupby("seed")["aupr"].mean())
    assert (row["low"], row["high"]) == pytest.approx((seeds.low, seeds.high))
    between = corrected_interval(own.groupby("fold")["aupr"].mean(), 1 / 2)
    assert (row["fold_low"], row["fold_high"]) == pytest.approx((between.low, between.high))
    assert (row["seeds"], row["folds"], row["units"], row["label"]) == (2, 2, 4, "base")


def test_no_environment_ranks_by_u_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_unit(run, Copy("aaa111", {}), 0)
    key = {"config": "aaa111", "fold": "chr8"}
    only_u = [row | key for row in recorded("cells", "linear", 0) if row["score"] == "u_only"]
    write(run, "cells", "aaa111-chr8-0.parquet", only_u)
    row = rank(Run.open(run)).configurations.iloc[0]
    assert row["value"] == pytest.approx(row["u_aupr"])
    assert row["seeds"] == 1
    assert math.isnan(row["low"])


def test_labels_name_what_varies() -> None:
    named = labels(
        {
            "a": {"energy.form": "gated", "loss.ranking.weight": 0.5, "optimiser.lr": 0.001},
            "b": {"energy.form": "gated", "loss.contrastive.weight": 0.123456, "optimiser.lr": 0.001},
            "c": {"energy.form": "linear", "optimiser.lr": 0.001},
        }
    )
    assert named["a"] == "energy=gated, ranking=0.5"
    assert named["b"] == "energy=gated, contrastive=0.123"
    assert named["c"] == "energy=linear"
    two = labels(
        {"a": {"loss.x.kind": "pull", "loss.x.weight": 1}, "b": {"loss.x.kind": "push", "loss.x.weight": 2}}
    )
    assert two["a"] == "x.kind=pull, x.weight=1"
    same = labels({"a": {"loss.x.tau": 1, "loss.y.tau": 1}, "b": {"loss.x.tau": 2, "loss.y.tau": 3}})
    assert same["b"] == "x.tau=2, y.tau=3"
    assert labels({"a": {}, "b": {"x.lr": 2}}) == {"a": "base", "b": "lr=2"}
    assert labels({"a": {"x.lr": 2}}) == {"a": "lr=2"}


def test_warnings_that_only_the_trial_could_raise_are_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_unit(run, Copy("aaa111", {}, unit={"parameters": 80_000, "train_pairs": 4000}), 0)
    key = {"config": "aaa111", "fold": "chr8", "seed": 0}
    live = {**key, "value": 3.0, "limit": 1.0, "severity": "fault", "advice": "look", "live": True}
    rows = [
        {**live, "rule": "inert_mechanism"},
        {**live, "rule": "over_capacity"},
        {**live, "rule": "negative_loss"},
    ]
    write(run, "warnings", "aaa111-chr8-0.parquet", rows)
    write(run, "epochs", "aaa111-chr8-0.parquet", [])
    found = rank(Run.open(run)).findings.set_index("rule")
    assert found.loc["inert_mechanism", "value"] == 3.0, "a rule that this analysis does not know"
    assert found.loc["negative_loss", "value"] == 3.0, "the store has no losses to judge again"
    assert found.loc["over_capacity", "value"] == 20.0, "judged again from the store"
    assert found.loc["over_capacity", "live"]
    missing = rank(Run.open(run)).unevaluated.set_index("rule")
    assert missing.loc["negative_loss", "units"] == 1


def test_findings_of_a_rule_whose_code_is_not_loaded_are_ranked(tmp_path: Path) -> None:
    run = tmp_path / "run"
    mine = Copy("aaa111", {"x.a": 1}, settings={"limits": {"spike": 2.0, "over_capacity": 1.0}})
    for design in (mine, Copy("bbb222", {"x.a": 2})):
        for seed in (0, 1):
            write_unit(run, design, seed)
    row = {
        "config": "aaa111", "fold": "chr8", "seed": 0, "rule": "spike", "mark": "k", "value": 7.0, "limit": 2.0,
        "severity": "fault", "epoch": 2, "source": "a file of mine", "advice": "lower the rate", "evidence": "loss 7",
        "implied": False, "live": True,
    }  # fmt: skip
    write(run, "warnings", "aaa111-chr8-0.parquet", [row])
    ranking = rank(Run.open(run))
    (found,) = ranking.findings[ranking.findings["rule"] == "spike"].to_dict("records")
    assert {name: found[name] for name in row} == row
    assert "over_capacity" in set(ranking.findings["rule"]), "its limits do not undo those of others"
    assert ranking.run.problems == []
    against = ranking.findings[counts_against_health(ranking.findings)]
    assert "spike" in set(against["rule"])
    text = " ".join(printed(ranking).split())
    assert "k spike fault, a file of mine in 1 of 2 configurations, 1 of 4 units" in text
    assert "try: lower the rate" in text
    assert re.search(r"flags (\w \w+, )*k spike", text), "its letter is explained"
    assert "? spike" not in text
    assert "spike" in curves_figure(ranking.run, "aaa111", ranking.findings).layout.yaxis3.categoryarray


def test_a_configuration_with_fewer_units_is_no_reference(tmp_path: Path) -> None:
    lucky = Copy("aaa111", {"x.a": 1}, lift=0.3)
    designs = (Copy("bbb222", {"x.a": 2}), Copy("ccc333", {"x.a": 3}, lift=-0.2))
    run = write_run(tmp_path / "run", designs)
    write_unit(run, lucky, 0)
    write_unit(run, Copy("aaa111", {"x.a": 1}, status="diverged"), 1)
    write_unit(run, Copy("aaa111", {"x.a": 1}, status="running"), 2)
    result = rank(Run.open(run))
    rows = result.configurations
    assert list(rows["config"]) == ["bbb222", "ccc333", "aaa111"]
    assert rows["value"].iloc[2] > rows["value"].iloc[0], "it would be first by its one seed"
    assert list(rows["tie"][:2]) == ["best", "worse"]
    assert not math.isnan(rows["difference_low"].iloc[1]), "paired over all three seeds"
    assert list(rows["complete"]) == [True, True, False]
    assert list(rows["behind"]) == [0, 0, 1]
    last = rows.iloc[2]
    assert (last["units"], last["planned"], last["diverged"]) == (1, 3, True)
    assert last["lacking"] == "1/3 units: diverged seed 1; running seed 2"
    assert result.left_out == {"diverged": 1, "running": 1}
    tested = rows.set_index("config")["test_aupr"]
    assert tested["aaa111"] > tested["bbb222"]
    assert result.regret == pytest.approx(0.0), "against what could have been ranked first"
    text = printed(result)
    assert "1/3 units: diverged seed 1; running seed 2" in " ".join(text.split())
    assert "3~✗" in text
    assert "a seed diverged" in text
    assert "winner's curse" in text


def printed(ranking: Ranking) -> str:
    console = Console(width=400, file=io.StringIO(), record=True)
    for part in ranking_view(ranking):
        console.print(part)
    return console.export_text()


def test_plan_says_what_has_not_been_started(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", (Copy("aaa111", {"x.a": 1}),), seeds=(0, 1))
    plan = {"folds": ["chr8"], "seeds": [0, 1, 2], "configs": [{"id": "aaa111"}, {"id": "bbb222"}]}
    (run / "plan.json").write_text(json.dumps(plan))
    write_unit(run, Copy("ccc333", {"x.a": 3}, lift=0.3), 0)
    result = rank(Run.open(run))
    rows = result.configurations.set_index("config")
    assert rows.loc["aaa111", "lacking"] == "2/3 units: not started seed 2"
    assert rows.loc["ccc333", "lacking"] == "1/3 units: not started seeds 1, 2"
    assert list(rows.index) == ["aaa111", "ccc333"], "none is complete: most finished units first"
    assert list(rows["behind"]) == [0, 1]
    assert result.left_out == {"not started": 6}
    assert "1~!" not in printed(result)
    assert "1 !" in printed(result)


def test_seeds_are_means_over_the_same_folds(tmp_path: Path) -> None:
    whole, partial = Copy("aaa111", {"x.a": 1}), Copy("bbb222", {"x.a": 2}, "gated")
    run = write_run(tmp_path / "run", (whole,), seeds=(0, 1), folds=("chr8", "chr10x"))
    for fold, seed in (("chr8", 0), ("chr10x", 0), ("chr8", 1)):
        write_unit(run, partial, seed, fold)
    rows = rank(Run.open(run)).configurations.set_index("config")
    cells = Run.open(run).as_found()
    own = cells[
        (cells["selection"] == "best_on_validation")
        & (cells["split"] == "val_unseen")
        & (cells["cell_line"] == "macro")
        & (cells["score"] == "corrected")
    ].set_index(["config", "fold", "seed"])["aupr"]
    assert rows.loc["aaa111", "value"] == pytest.approx(own["aaa111"].mean())
    assert rows.loc["aaa111", "common_folds"] == ""
    seeds = [own["bbb222", "chr8", seed] for seed in (0, 1)]
    interval = t_interval(seeds)
    row = rows.loc["bbb222"]
    assert (row["value"], row["low"]) == pytest.approx((interval.mean, interval.low))
    assert (row["units"], row["planned"], row["folds"]) == (3, 4, 1)
    assert row["common_folds"] == "mean over chr8, which all its seeds have"
    gain = t_interval([own["bbb222", "chr8", seed] - own["aaa111", "chr8", seed] for seed in (0, 1)])
    assert (row["difference"], row["difference_high"]) == pytest.approx((gain.mean, gain.high))
    (run / "units" / "bbb222-chr8-0.parquet").unlink()
    row = rank(Run.open(run)).configurations.set_index("config").loc["bbb222"]
    assert row["common_folds"] == "seeds differ in folds"
    assert row["value"] == pytest.approx((own["bbb222", "chr10x", 0] + own["bbb222", "chr8", 1]) / 2)


def test_documented_baselines_stand_beside_every_criterion(run_path: Path) -> None:
    for by, said in (("aupr", ""), ("pooled_aupr", "no pooled AUPR was"), ("nll", "no NLL was documented")):
        text = printed(rank(Run.open(run_path), by))
        assert "macro AUPR cross_attention 0.685, rp04 0.701" in text
        assert said in text
        assert "not comparable with other data" in text


@pytest.mark.parametrize("reasons", [["", ""], ["", "the data are gone"]])
def test_a_reason_is_given_only_where_there_is_one(tmp_path: Path, reasons: list[str]) -> None:
    for seed, reason in enumerate(reasons):
        row = {"config": "a", "fold": "f", "seed": seed, "status": "failed", "reason": reason}
        write(tmp_path, "units", f"a-f-{seed}.parquet", [row])
    with pytest.raises(UserError) as raised:
        rank(Run.open(tmp_path))
    said = f"; the first reason given is: {reasons[1]}" if reasons[1] else ""
    assert str(raised.value).endswith(f"to rank (2 failed){said}")
