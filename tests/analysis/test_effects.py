"""Comparing one key: what is paired with what, against hand computation."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.comparison_view import comparison_view, verdict
from analysis.effects import compare
from analysis.errors import UserError
from analysis.paired import paired_effect
from analysis.reported import reported_units
from analysis.store import Run
from tests.recorded.copies import Copy, write_run


def test_differences_are_paired_by_seed_and_matched_in_all_else(planted: Path) -> None:
    run = Run.open(planted)
    result = compare(run, "energy.form", "linear", "gated", metric="pooled_aupr")
    # aaa111 and ccc333 are linear, bbb222 and ddd444 gated; the ranking weight decides who meets whom.
    assert set(zip(result.pairs["config_a"], result.pairs["config_b"], strict=True)) == {
        ("aaa111", "bbb222"),
        ("ccc333", "ddd444"),
    }
    units = reported_units(run).pivot_table(index="seed", columns="config", values="pooled_aupr")
    by_hand = ((units["bbb222"] - units["aaa111"]) + (units["ddd444"] - units["ccc333"])) / 2
    expected = paired_effect(by_hand)
    assert result.effect.interval.mean == pytest.approx(expected.interval.mean)
    assert result.effect.interval.low == pytest.approx(expected.interval.low)
    assert result.effect.detectable == pytest.approx(expected.detectable)
    assert result.effect.interval.n == 3
    assert result.folds.n == 1
    assert result.censored == 0


def test_verdict_turns_with_the_criterion(planted: Path) -> None:
    run = Run.open(planted)
    better = compare(run, "energy.form", "linear", "gated", metric="pooled_aupr")
    assert verdict(better, 0.005).startswith("gated is better than linear in pooled AUPR")
    lower = compare(run, "energy.form", "gated", "linear", metric="nll")
    assert lower.effect.interval.mean > 0
    assert verdict(lower, 0.005).startswith("gated is better than linear in NLL")
    assert verdict(better, 10.0).startswith("No effect")


def test_one_seed_is_unknown(tmp_path: Path) -> None:
    designs = [Copy(c, {"energy.form": f}, f) for c, f in (("a", "linear"), ("b", "gated"))]
    run = write_run(tmp_path / "run", designs, seeds=(0,))
    result = compare(Run.open(run), "energy.form", "linear", "gated", metric="aupr", split="test")
    assert verdict(result, 0.005) == "Unknown: one seed has no interval."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("energy.from", "linear", "gated"), "did you mean 'energy.form'"),
        (("energy.form", "liner", "gated"), r"did you mean 'linear'\? \(present: gated, linear\)"),
        (("energy.form", "linear", "linear"), "two values"),
        (("loss.ranking.weight", "0.5", "0.7"), "present: 0.5, 1.0"),
        (("energy.w", "1.0", "1"), "two values"),
    ],
)
def test_mistakes_get_a_sentence(planted: Path, arguments: tuple[str, str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        compare(Run.open(planted), *arguments)


def test_numbers_match_by_value(planted: Path) -> None:
    result = compare(Run.open(planted), "loss.ranking.weight", "0.5", "1")
    assert set(result.pairs["config_b"]) == {"ccc333", "ddd444"}


def test_a_search_that_repeats_nothing_is_told_so(tmp_path: Path) -> None:
    designs = [
        Copy("a", {"energy.form": "linear", "loss.ranking.weight": 0.3}),
        Copy("b", {"energy.form": "gated", "loss.ranking.weight": 0.4}),
    ]
    run = write_run(tmp_path / "run", designs, seeds=(0,))
    with pytest.raises(UserError, match="design: grid"):
        compare(Run.open(run), "energy.form", "linear", "gated")


def test_seeds_are_compared_on_the_folds_that_all_of_them_have(tmp_path: Path) -> None:
    designs = [Copy(c, {"energy.form": f}, f) for c, f in (("a", "linear"), ("b", "gated"))]
    run = write_run(tmp_path / "run", designs, seeds=(0, 1), folds=("chr8", "chr10x"))
    (run / "units" / "b-chr10x-1.parquet").unlink()
    result = compare(Run.open(run), "energy.form", "linear", "gated", metric="aupr")
    assert set(result.pairs["fold"]) == {"chr8"}
    assert (len(result.pairs), result.unbalanced, result.mixed) == (2, 1, False)
    (run / "units" / "b-chr8-0.parquet").unlink()
    result = compare(Run.open(run), "energy.form", "linear", "gated", metric="aupr")
    assert (len(result.pairs), result.unbalanced, result.mixed) == (2, 0, True)
    said = " ".join(str(part) for part in comparison_view(result, 0.005))
    assert "no fold and configuration in common" in said


def test_a_pair_with_a_unit_that_ended_early_is_not_differenced(tmp_path: Path) -> None:
    designs = [Copy(c, {"energy.form": f}, f) for c, f in (("a", "linear"), ("b", "gated"))]
    run = write_run(tmp_path / "run", designs, seeds=(0, 1, 2))
    (fold,) = Run.open(run).table("units")["fold"].unique()

    def end(config: str, seed: int, status: str) -> None:
        file = run / "units" / f"{config}-{fold}-{seed}.parquet"
        table = pq.read_table(file)
        at = table.column_names.index("status")
        pq.write_table(table.set_column(at, table.field(at), pa.array([status])), file)

    end("b", 1, "pruned")
    result = compare(Run.open(run), "energy.form", "linear", "gated", metric="aupr")
    assert (set(result.pairs["seed"]), result.censored, result.unbalanced) == ({0, 2}, 1, 0)
    said = " ".join(str(part) for part in comparison_view(result, 0.005))
    assert "1 pairs are left out: they hold a stopped or pruned unit" in said
    for seed in (0, 2):
        end("a", seed, "stopped")
    with pytest.raises(
        UserError, match=r"every pair of units at energy\.form = linear and gated holds one that was"
    ):
        compare(Run.open(run), "energy.form", "linear", "gated", metric="aupr")
