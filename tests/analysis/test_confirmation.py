"""What a selection chose, run again: what is taken, what is read of it, and that its test split stays closed before."""

import io
import json
import math
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.__main__ import main, print_ranking
from analysis.confirmation.choice import FEWEST, MOST, best_baseline, candidates, seeds_to_confirm
from analysis.confirmation.figures import confirmation, flattered
from analysis.confirmation.record import ChoiceRecord, Opening
from analysis.confirmation.seal import FILE, FOLDER, sealed
from analysis.errors import UserError
from analysis.intervals import t_interval
from analysis.power import detectable, seeds_for_difference
from analysis.ranking import Ranking, rank
from analysis.report.answer import answer
from analysis.report.content import Paragraph
from analysis.report.material import Material
from analysis.report.sections.confirmed import Confirmed
from analysis.report.texts import texts
from analysis.reported import reported_units
from analysis.store import Run
from tests.recorded.copies import Copy, write_run, write_unit

BEST, TIED = (
    Copy("aaa111", {"k": 1}, lift=(0.10, 0.12, 0.14)),
    Copy("bbb222", {"k": 2}, lift=(0.12, 0.10, 0.13)),
)
WORSE = Copy("ccc333", {"k": 3}, lift=-0.2)
AGAIN = (Copy("ddd444", {"k": 1}, lift=(0.02, 0.03, 0.04)), Copy("eee555", {"k": 2}, lift=(0.03, 0.02, 0.05)))
"""The confirmation of the first two: not as good as they were when they were chosen."""
OPENING = Opening("2026-01-02T03:04:05+00:00", "somebody on a machine", "a command", ("aaa111", "bbb222"), 6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first two configurations are tied, and their confirmation, which was opened; read only."""
    folder = write_run(tmp_path_factory.mktemp("confirmed") / "run", (BEST, TIED, WORSE))
    write_run(folder / FOLDER, AGAIN)
    ranking = rank(Run.open(folder))
    named = [replace(c, confirmed_as=a.config) for c, a in zip(candidates(ranking), AGAIN, strict=True)]
    baseline, value = best_baseline(ranking)
    record = ChoiceRecord(
        "aupr",
        "2026-01-01",
        ("fold0",),
        "confirmation (test C1)",
        3,
        tuple(named),
        baseline,
        value,
        ("a note",),
        OPENING,
    )
    write_record(folder, record)
    return folder


def write_record(folder: Path, record: ChoiceRecord) -> None:
    (folder / FOLDER / FILE).write_text(json.dumps(record.content()), encoding="utf-8")


def record_of(folder: Path) -> ChoiceRecord:
    return ChoiceRecord.of(json.loads((folder / FOLDER / FILE).read_text(encoding="utf-8")))


def ranking_of(folder: Path) -> Ranking:
    return rank(Run.open(folder))


def test_the_winner_and_its_ties_are_confirmed(run: Path) -> None:
    taken = candidates(ranking_of(run))
    assert [(each.config, each.role) for each in taken] == [("aaa111", "winner"), ("bbb222", "tie")]


def test_no_placebo_and_nothing_incomplete_is_confirmed(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    arms = [("aaa111", "base"), ("bbb222", "A/A placebo"), ("ccc333", "removal")]
    configs = [{"id": config, "arm": family, "family": family} for config, family in arms]
    (folder / "plan.json").write_text(json.dumps({"configs": configs}), encoding="utf-8")
    assert [each.config for each in candidates(ranking_of(folder))] == ["aaa111"]


def test_numbers_are_those_of_test_and_optimism_is_the_rest(run: Path) -> None:
    told = confirmation(Run.open(run), 0.005)
    assert told is not None
    units = reported_units(Run(run / FOLDER), "test")
    expected = units[units["config"] == "ddd444"]["aupr"]
    row = told.winner
    assert row["confirmed"] == pytest.approx(expected.mean())
    assert row["low"] < row["confirmed"] < row["high"]
    selected = ranking_of(run).configurations["value"].iloc[0]
    assert row["selected"] == pytest.approx(selected)
    assert row["optimism"] == pytest.approx(selected - expected.mean())
    assert told.baseline["optimism"] == pytest.approx(told.baseline["selected"] - told.baseline["confirmed"])
    assert row["over_baseline"] == pytest.approx(expected.mean() - told.baseline["confirmed"])
    assert told.rows["behind_winner"].iloc[1] == pytest.approx(-0.01 / 3)


def test_only_the_confirmed_number_is_headlined(run: Path) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    print_ranking(run, console=console)
    text = console.export_text()
    told = confirmation(Run.open(run), 0.005)
    assert told is not None
    head = next(line for line in text.splitlines() if line.strip())
    assert head.startswith(f"Confirmed: {told.winner['label']}  macro AUPR {told.winner['confirmed']:.3f}")
    assert f"optimism {told.winner['optimism']:+.3f}" in text
    assert text.index("Selection: the numbers that it was chosen by") < text.index("Run run")
    assert "was opened once, 2026-01-02T03:04:05+00:00, by somebody on a machine" in " ".join(text.split())


def test_a_selection_that_went_on_says_so(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    write_run(folder, (Copy("fff666", {"k": 4}, lift=0.3),))
    console = Console(width=100, record=True, file=io.StringIO())
    print_ranking(folder, console=console)
    assert "is not among what was confirmed" in console.export_text()


def test_a_closed_test_split_is_shown_by_nobody(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    write_record(folder, replace(record_of(folder), opened=None))
    told = confirmation(Run.open(folder), 0.005)
    assert told is not None
    assert told.rows[["confirmed", "again", "optimism"]].isna().all(axis=None)
    with pytest.raises(UserError, match="its test split is opened once"):
        rank(Run.open(folder / FOLDER))


@pytest.mark.parametrize("forged", ["swapped", "role", "seeds", "dropped"])
def test_a_record_sealed_anew_has_to_fit_the_units(
    run: Path, tmp_path: Path, forged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    record = record_of(folder)
    one, other = record.candidates
    changes: dict[str, dict[str, Any]] = {
        "swapped": {
            "candidates": (
                replace(one, confirmed_as=other.confirmed_as),
                replace(other, confirmed_as=one.confirmed_as),
            )
        },
        "role": {"candidates": (replace(one, role="tie"), other)},
        "seeds": {"seeds": 2},
        "dropped": {"candidates": (replace(other, role="winner"),)},
    }
    write_record(folder, replace(record, **changes[forged]))
    assert [main([str(folder)]), main(["verify", str(folder)])] == [1, 1]
    printed = " ".join(capsys.readouterr().out.split())
    assert "Confirmed: " not in printed
    assert "Nothing of the confirmation is relied on: confirmation/confirmation.json" in printed


def test_units_that_are_gone_are_told_from_the_record(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    shutil.rmtree(folder / FOLDER)
    write_run(folder / FOLDER, AGAIN, seeds=(0, 1))
    shutil.copy(run / FOLDER / FILE, folder / FOLDER / FILE)
    assert main([str(folder)]) == 1
    assert "with 3 seeds, and 2 are there" in " ".join(capsys.readouterr().out.split())


def test_units_of_an_earlier_choice_are_no_forgery(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    write_unit(folder / FOLDER, replace(AGAIN[0], lift=0.0), 7, "chr8")
    plan = {"folds": {"chr8": {}}, "seeds": [0, 1, 2], "configs": [], "status": "finished"}
    (folder / FOLDER / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    told = confirmation(Run.open(folder), 0.005)
    assert told is not None, main([str(folder)])
    plan["seeds"] = [0, 1]
    (folder / FOLDER / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    assert main([str(folder)]) == 1
    assert "with 3 seeds, and 2 are there" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("edit", ["value", "digest"])
def test_an_edited_record_is_noticed(
    run: Path, tmp_path: Path, edit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    content = json.loads((folder / FOLDER / FILE).read_text(encoding="utf-8"))
    content["candidates"][0]["value"] += 0.2
    (folder / FOLDER / FILE).write_text(json.dumps(content if edit == "value" else sealed(content)))
    status = [main([str(folder)]), main(["verify", str(folder)])]
    printed = " ".join(capsys.readouterr().out.split())
    material = Material(ranking_of(folder), texts())
    (first, *_) = Confirmed().blocks(material) or ()
    assert isinstance(first, Paragraph)
    if edit == "value":
        assert status == [1, 1]
        assert "Confirmed: " not in printed
        assert (
            "Nothing of the confirmation is relied on: confirmation/confirmation.json is not what" in printed
        )
        assert first.text.startswith("Nothing of it is relied on: confirmation/confirmation.json is not what")
        assert texts()("answer.unconfirmed") in answer(material).certainty
    else:
        assert status[1] == 1
        for said in (printed, first.text):
            assert "and the units that it was chosen by have" in said


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "label": ({}, "calls aaa111 k=9, and by its settings it is k=1: one of the two was changed"),
    "number of the baseline": ({"baseline_value": 0.4}, "had 0.4000, and the selection's own has "),
    "another baseline": (
        {"baseline": "distance"},
        "names distance as the best baseline, and that of the selection is ",
    ),
    "no baseline": ({"baseline": "", "baseline_value": None}, "names no baseline, and the selection has "),
}


@pytest.mark.parametrize("lie", LIES)
def test_names_and_baselines_are_those_of_the_store(
    run: Path, tmp_path: Path, lie: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that was sealed anew with another name or baseline is told from what the selection keeps."""
    folder, (changes, sentence) = Path(shutil.copytree(run, tmp_path / "run")), LIES[lie]
    record = record_of(folder)
    assert confirmation(Run.open(folder), 0.005) is not None
    if lie == "label":
        first, *rest = record.candidates
        changes = {"candidates": (replace(first, label="k=9"), *rest)}
    write_record(folder, replace(record, **changes))
    assert [main([str(folder)]), main(["verify", str(folder)])] == [0, 1]
    printed = " ".join(capsys.readouterr().out.split())
    assert sentence in printed, printed
    assert "Confirmed: k=1 " in printed
    assert main([str(folder), "--lang", "zh"]) == 0
    assert "两者之一事后被改动过" in "".join(capsys.readouterr().out.split())


def test_names_are_those_of_when_it_was_chosen(run: Path, tmp_path: Path) -> None:
    """What joined the selection later changes how its configurations are named, and nothing of the record."""
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    units = Run.open(folder).table("units")
    chosen = units["finished"].max() + timedelta(seconds=5)
    write_record(folder, replace(record_of(folder), chosen=chosen.isoformat(timespec="seconds")))
    late = Copy("fff666", {"k": 1, "m": 4}, lift=-0.3, unit={"finished": chosen + timedelta(days=1)})
    write_run(folder, (late,))
    assert ranking_of(folder).configurations.set_index("config")["label"]["fff666"] == "k=1, m=4"
    told = confirmation(Run.open(folder), 0.005)
    assert told is not None
    assert told.differences == ()


def test_a_record_that_is_gone_is_said(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    (folder / FOLDER / FILE).unlink()
    console = Console(width=200, record=True, file=io.StringIO())
    assert not print_ranking(folder, console=console)
    assert "Nothing of the confirmation is relied on: confirmation/confirmation.json is gone or empty" in (
        console.export_text()
    )


def test_optimism_has_the_interval_of_welch(run: Path) -> None:
    told = confirmation(Run.open(run), 0.005)
    assert told is not None
    sides = []
    for folder, config, split in ((run, "aaa111", "val_unseen"), (run / FOLDER, "ddd444", "test")):
        units = reported_units(Run(folder), split)
        sides.append(units[units["config"] == config]["aupr"].to_numpy())
    expected = CompareMeans(*map(DescrStatsW, sides)).tconfint_diff(usevar="unequal")
    row = told.winner
    assert (row["optimism_low"], row["optimism_high"]) == pytest.approx(expected)
    one = replace(told.record.winner, low=None, high=None, seeds=1)
    assert math.isnan(flattered(one, t_interval([0.1, 0.2, 0.3]), told.by).low)


def test_no_selection_reads_units_of_a_confirmation(run: Path) -> None:
    assert set(reported_units(Run(run))["config"]) == {"aaa111", "bbb222", "ccc333"}


@pytest.mark.parametrize(("sd", "difference"), [(0.008, 0.01), (0.03, 0.02), (0.02, 0.2)])
def test_seeds_for_a_difference_are_the_fewest_that_see_it(sd: float, difference: float) -> None:
    seeds = seeds_for_difference(sd, difference)
    assert seeds is not None
    assert detectable(sd, seeds) <= difference
    assert seeds == 2 or detectable(sd, seeds - 1) > difference


def test_seeds_follow_the_lead_over_the_best_baseline(tmp_path: Path) -> None:
    base = best_baseline(ranking_of(write_run(tmp_path / "far", (BEST,))))[1]
    assert base is not None
    units = reported_units(Run(tmp_path / "far"))
    lead = units["aupr"].mean() - base
    spread = units["aupr"].std()
    needed = seeds_for_difference(float(spread), float(lead)) if lead > 0.005 else None
    seeds, why = seeds_to_confirm(ranking_of(tmp_path / "far"))
    assert seeds == (FEWEST if needed is None else min(max(FEWEST, needed), MOST))
    assert why.startswith(f"{seeds} seeds")
