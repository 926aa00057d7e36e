"""Before a sweep runs: what it costs, what it can see, which seeds fit a budget, and what is written down first."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.console import plain_console
from analysis.criteria import CRITERIA
from analysis.errors import UserError
from analysis.pilot import PilotSpread, default_spread, pilot_spread
from analysis.power import detectable
from analysis.preregistration import FILE, preregistration
from analysis.store import Run
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.sweep.cost import Phase, UnitCost, Workers, workers_of
from harness.sweep.driver import run_sweep
from harness.sweep.foresight import Cost, resumed_budget, within_budget
from harness.sweep.options import parse
from harness.sweep.run.preregistered import asked_of, differences, preregister, question_of
from harness.sweep.show.foreseen import families_of, sight
from tests.harness.small_sweeps import SETTINGS
from tests.recorded.copies import Copy, write_run

ABLATION = f"""# yaml-language-server: $schema=schema.json
# Asks: which mechanism is missed
# here?
# Launch: never
name: small
base: minimal
data:
  synthetic: {{form: gated, cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}
  folds: one
trial: {{epochs: 3, seeds: 5}}
{SETTINGS}  loss.sparsity.z_i: 0.1
  loss.calibration.weight: 0.1
  curriculum.phase1_epochs: 1
design: {{kind: leave_one_out, only: [sparsity_z_i, calibration], placebos: [streams]}}
"""
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))
COST = Cost(UnitCost((Phase(3, 10, 0.1, 1.0),), end=1.0, audit=2.0), Workers(2, 1, "here"))
"""A unit takes 3 (10 x 0.1 + 1) + 1 = 7 s, a trial of n seeds 7 n + 2 s."""


def sweep_of(folder: Path, text: str = ABLATION, *sets: str) -> Sweep:
    (folder / "small.yaml").write_text(text)
    return load_sweep(folder / "small.yaml", overrides=sets)


def plan_of(sweep: Sweep) -> Plan:
    return Plan.of(sweep, folds=[FOLD], data="d" * 64)


def test_cost_by_hand() -> None:
    assert COST.unit.seconds == pytest.approx(7.0)
    assert COST.unit.trial(5) == pytest.approx(37.0)
    assert COST.wall(configurations=5, folds=1, seeds=2) == pytest.approx(3 * 16.0)


def test_workers_are_what_fits_and_at_least_one() -> None:
    room: dict[str, Any] = {"cpus": 8.0, "gpus": 0.0, "share": 0.0, "where": "here"}
    assert workers_of(**room, cpus_per_trial=2.0, concurrent=None).count == 4
    assert workers_of(**room, cpus_per_trial=2.0, concurrent=3).count == 3
    assert workers_of(**room, cpus_per_trial=16.0, concurrent=None).count == 1
    room |= {"gpus": 1.0, "share": 0.25}
    assert workers_of(**room, cpus_per_trial=1.0, concurrent=None).count == 4


def test_a_plan_says_what_it_can_see(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path)
    plan = plan_of(sweep)
    assert [(each.name, each.size) for each in families_of(sweep, plan)] == [("mechanism contrasts", 2)]
    text = "\n".join(sight(sweep, plan, PilotSpread(0.008, "a guess")))
    assert (
        f"mechanism contrasts (2), 5 seeds: a difference of {detectable(0.008, 5, 2):.3g} (80 % power" in text
    )
    assert "no effect within ±0.005 takes 24 seeds" in text
    assert "sign-flip test: 0.12; below 0.05 from 7 seeds on" in text
    assert text.endswith("by a guess")


def test_a_likelihood_has_no_default_spread() -> None:
    assert default_spread(CRITERIA["nll"]) is None
    known = default_spread(CRITERIA["aupr"])
    assert known is not None
    assert known.sd == 0.008


def test_a_pilot_gives_the_spread_of_its_differences(tmp_path: Path) -> None:
    copies = [Copy("a", {"k": 1}, steady=True), Copy("b", {"k": 2}, lift=(0.0, 0.01, 0.05), steady=True)]
    run = Run(write_run(tmp_path / "run", copies))
    spread = pilot_spread(run, CRITERIA["aupr"])
    assert spread.sd == pytest.approx(0.0264575, rel=1e-4)
    assert "1 comparisons in run" in spread.source
    alone = Run(write_run(tmp_path / "one", copies, seeds=(0,)))
    with pytest.raises(
        UserError, match="no two of its configurations have a macro AUPR on the same two seeds"
    ):
        pilot_spread(alone, CRITERIA["aupr"])


def unlike(folder: Path, kind: str) -> Path:
    """A path that is no pilot of a macro AUPR."""
    unit = {"objective": "val_unseen/pooled/nll"} if kind == "criterion" else {}
    copies = [
        Copy(name, {"k": name}, unit=unit, status="failed" if kind == "failed" else "done") for name in "ab"
    ]
    return folder / "none" if kind == "none" else write_run(folder / "pilot", copies, seeds=(0, 1))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("none", "--pilot .*none: no such run"),
        ("criterion", "it selects its weights by NLL, and this sweep by macro AUPR"),
        ("failed", "none of its units has ended with a macro AUPR on val_unseen"),
    ],
)
def test_a_wrong_pilot_is_refused_before_data_are_opened(kind: str, sentence: str, tmp_path: Path) -> None:
    sweep_of(tmp_path)
    words: list[Any] = [tmp_path / "small.yaml", "--out", tmp_path / "run", "--cache", tmp_path / "cache"]
    words += ["--pilot", unlike(tmp_path, kind)]
    with pytest.raises(UserError, match=sentence):
        run_sweep(parse(list(map(str, words))), Console(width=200))
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("seconds", "seeds"), [(32, 2), (45, 2), (46, 3), (74, 5), (88, 6)])
def test_a_budget_chooses_the_most_seeds_that_fit(tmp_path: Path, seconds: float, seeds: int) -> None:
    # 4 configurations on 2 workers are 2 waves of 7 n + 2 s.
    sweep = sweep_of(tmp_path)
    assert sweep.trials == 4
    setting, sentence = within_budget(sweep, 1, COST, seconds)
    assert setting == f"trial.seeds={seeds}"
    assert COST.wall(4, 1, seeds) <= seconds < COST.wall(4, 1, seeds + 1)
    assert f"{seeds} seeds for each of 4 configurations x 1 fold" in sentence
    assert sweep_of(tmp_path, ABLATION, setting).config.seeds == list(range(seeds))


def test_a_budget_takes_the_first_of_named_seeds(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, ABLATION, "trial.seeds=[7, 3, 9]")
    setting, _ = within_budget(sweep, 1, COST, 33)
    assert sweep_of(tmp_path, ABLATION, setting).config.seeds == [7, 3]
    setting, _ = within_budget(sweep, 1, COST, 10_000)
    assert sweep_of(tmp_path, ABLATION, setting).config.seeds == [7, 3, 9]


def test_a_budget_of_less_than_two_seeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"not even 4 configurations x 1 fold x 2 seeds fit, which take about 32 s"
    ):
        within_budget(sweep_of(tmp_path), 1, COST, 31)


def test_a_budget_of_a_search_is_refused(tmp_path: Path) -> None:
    text = ABLATION.split("design:")[0] + "space:\n  optimiser.lr: {loguniform: [0.001, 0.01]}\n"
    with pytest.raises(UserError, match=r"design: search goes on until --time T"):
        within_budget(sweep_of(tmp_path, text), 1, COST, 1000)


def test_a_budget_caps_the_steps_of_a_path(tmp_path: Path) -> None:
    text = "name: a\nbase: minimal\ndata: {synthetic: {}}\ndesign: {kind: path, to: rp22}\n"
    sweep = sweep_of(tmp_path, text)
    sizes = sweep.config.of_design.sizes(sweep.basis)  # type: ignore[attr-defined]
    (one, least), (two, more), *_ = sizes
    assert (one, two) == (1, 2)
    setting, sentence = within_budget(sweep, 1, COST, COST.wall(more, 1, 5) - 1)
    assert setting == "design.steps=1"
    assert f"at most {least} configurations" in sentence
    assert sweep_of(tmp_path, sweep.text, setting).trials == least
    with pytest.raises(UserError, match="of a first step fit"):
        within_budget(sweep, 1, COST, COST.wall(least, 1, 5) - 1)


def test_the_question_is_the_first_comment_or_the_key(tmp_path: Path) -> None:
    assert question_of(sweep_of(tmp_path)) == "which mechanism is missed here?"
    assert question_of(sweep_of(tmp_path, ABLATION, "question=why?")) == "why?"
    assert question_of(sweep_of(tmp_path, ABLATION.split("never\n")[1])) == ""


def test_extending_a_run_adds_an_entry_and_changes_none(tmp_path: Path) -> None:
    sweep, run = sweep_of(tmp_path), tmp_path / "run"
    run.mkdir()
    plan = plan_of(sweep)
    plan.save(run)
    first = preregister(run, asked_of(sweep, plan, None))
    before = json.loads((run / FILE).read_text())["entries"]
    assert before[0]["content"]["families"] == {
        "mechanism contrasts": {"base": ["without sparsity_z_i", "without calibration"]}
    }
    assert before[0]["content"]["units_before"] == 0
    assert preregister(run, asked_of(sweep, plan, PilotSpread(0.1, "a pilot"))) == first
    assert len(json.loads((run / FILE).read_text())["entries"]) == 1
    other = sweep_of(tmp_path, ABLATION, "question=which did best?", "trial.seeds=6", "rope=0.01")
    asked = asked_of(other, plan_of(other), None)
    assert differences(run, asked) == [
        "the question was preregistered as: which mechanism is missed here?",
        "the region of no effect was preregistered as ±0.005, and is ±0.01 now",
    ]
    assert preregister(run, asked) == first
    after = json.loads((run / FILE).read_text())["entries"]
    assert after[:1] == before
    assert after[1]["previous"] == first
    known = preregistration(Run(run))
    assert known is not None
    assert known.problems[0].startswith("the question was changed by a later start")


def test_an_unreadable_file_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path)
    (tmp_path / FILE).write_text("{")
    preregister(tmp_path, asked_of(sweep, plan_of(sweep), None))
    assert (tmp_path / f"{FILE}.damaged").read_text() == "{"


def test_what_was_chosen_for_a_budget_stays_with_a_resumed_run(tmp_path: Path) -> None:
    sweep, run = sweep_of(tmp_path, ABLATION, "trial.seeds=3"), tmp_path / "run"
    assert resumed_budget(sweep, run) is None
    replace(plan_of(sweep), status="interrupted").save(run)
    assert resumed_budget(sweep_of(tmp_path), run) == "trial.seeds=[0, 1, 2]"


def test_a_dry_run_measures_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    before = sorted(tmp_path.rglob("*"))
    assert run_sweep(parse(["small.yaml", "--dry-run", "--budget", "10m"]), plain_console()) == 0
    assert sorted(tmp_path.rglob("*")) == before, "no run, and no cache"
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(line.strip() for line in lines)
    assert "s a step x 1 steps" in text
    assert text.count(" s an epoch (x ") == 2, "a line for each phase of the curriculum"
    assert "4 configurations, 4 trials" in text
    assert "an estimate: " in text
    assert "mechanism contrasts (2)" in text
    assert "seeds for each of 4 configurations x 1 fold" in text
