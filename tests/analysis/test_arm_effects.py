"""Effects of arms against planted differences and hand computation; what is never said, and what is left out."""

import json
import math
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.arm_effects import ArmEffect, arm_effects
from analysis.arms import arms
from analysis.cell_effects import cell_effects
from analysis.contrasts import AA, contrasts, corrected_families
from analysis.criteria import CRITERIA
from analysis.dunnett import dunnett_p
from analysis.effects_view import effects_view, every_unit
from analysis.errors import UserError
from analysis.paired import probability_of_improvement, t_test_p
from analysis.preregistration import entry_hash
from analysis.store import Run
from tests.recorded.copies import Copy, write_run

SEEDS = tuple(range(8))
NOISE = (0.001, -0.002, 0.0, 0.002, -0.001, 0.001, -0.002, 0.001)
FAMILIES = {
    "b": ("base", "base"),
    "p": ("base, other streams", "A/A placebo"),
    "x": ("without x", "removal"),
    "y": ("without y", "removal"),
    "z": ("without z", "removal"),
    "q": ("x on permuted z_i", "capacity placebo"),
}
AUPR = CRITERIA["aupr"]


def ablation(
    run: Path,
    lifts: Mapping[str, Any],
    seeds: Sequence[int] = SEEDS,
    folds: Sequence[str] = ("chr8",),
    **units: Mapping[str, Any],
) -> Run:
    """A run of one base and arms with these differences from it, one number or one per seed."""
    copies = []
    for config, lift in lifts.items():
        each = tuple(lift) if isinstance(lift, Sequence) else lift
        unit = dict(units.get(config, {}))
        copies.append(
            Copy(
                config,
                {"arm": config},
                lift=each,
                steady=True,
                status=unit.pop("status", "done"),
                epoch=unit.pop("epoch", {}),
                unit=unit,
            )
        )
    write_run(run, copies, seeds=seeds, folds=folds)
    entries = [
        {
            "id": c,
            "changes": {},
            "arm": FAMILIES[c][0],
            "family": FAMILIES[c][1],
            "mechanism": "x" if c in "xq" else c,
        }
        for c in lifts
    ]
    plan = {"configs": entries, "design": "leave_one_out", "objective": "val_unseen/macro/aupr"}
    (run / "plan.json").write_text(json.dumps(plan))
    return Run(run)


def removals(run: Run, rope: float = 0.005) -> dict[str, ArmEffect]:
    members = [each for family, some in contrasts(arms(run)).items() if family != AA for each in some]
    return {each.contrast.config: each for each in arm_effects(run, every_unit(run), members, AUPR, rope)}


def values_of(effect: ArmEffect) -> tuple[Any, Any]:
    return effect.pairs.values, effect.pairs.reference


def shown(run: Run, **options: Any) -> str:
    console = Console(file=StringIO(), width=80)
    for part in effects_view(run, **options):
        console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_step_time_is_of_the_processor_where_the_store_has_it(tmp_path: Path) -> None:
    def ratio(name: str, base: dict[str, float], x: dict[str, float], device: str = "cpu") -> float:
        units: dict[str, Any] = {"b": {"epoch": base, "device": device}, "x": {"epoch": x, "device": device}}
        run = ablation(tmp_path / name, {"b": 0.0, "x": 0.0}, SEEDS[:2], **units)
        return removals(run)["x"].step_time

    busy, idle = {"wall_s": 9.0, "cpu_s": 2.0}, {"wall_s": 1.0, "cpu_s": 1.0}
    assert ratio("processor", idle, busy) == pytest.approx(2)
    assert ratio("gpu", idle, busy, "cuda") == pytest.approx(9)
    assert ratio(
        "older", {"wall_s": 1.0, "cpu_s": math.nan}, {"wall_s": 3.0, "cpu_s": math.nan}
    ) == pytest.approx(3)


def test_planted_effects_are_found_with_their_signs(tmp_path: Path) -> None:
    lifts = {
        "b": 0.0,
        "x": [-0.03 + e for e in NOISE],
        "y": [0.03 + e for e in NOISE],
        "z": NOISE,
    }
    found = removals(ablation(tmp_path / "run", lifts))
    assert {config: each.verdict for config, each in found.items()} == {
        "x": "worse",
        "y": "better",
        "z": "unknown",
    }
    assert found["z"].p_equivalent < 0.05, "eight seeds agree, and 24 is what it takes"
    assert found["z"].needed == 24
    assert found["x"].effect.interval.mean == pytest.approx(-0.03, abs=1e-9)
    raw = [t_test_p([-0.03 + e for e in NOISE]), t_test_p([0.03 + e for e in NOISE]), t_test_p(NOISE)]
    smallest, middle, largest = sorted(raw)
    by_hand = {
        smallest: 3 * smallest,
        middle: max(3 * smallest, 2 * middle),
        largest: max(2 * middle, largest),
    }
    assert [found[c].p for c in "xyz"] == pytest.approx([by_hand[p] for p in raw], rel=1e-6)
    assert found["x"].p_flip == pytest.approx(3 * 2 / 2**8)
    spread = float(np.std(NOISE, ddof=1))
    assert found["z"].effect.interval.sd == pytest.approx(spread)
    assert found["z"].detectable > found["z"].effect.detectable


def test_no_effect_is_never_said_below_the_seeds_it_takes(tmp_path: Path) -> None:
    # Two seeds that agree by chance, beside an arm whose differences spread as those of real pairs do.
    lifts = {"b": 0.0, "x": [0.0001, 0.0005], "y": [0.01, -0.01]}
    found = removals(ablation(tmp_path / "run", lifts, seeds=(0, 1)))
    assert found["x"].effect.interval.verdict(0.005) == "equal"
    assert found["x"].verdict == "unknown"
    assert "hence unknown: without x" in " ".join(shown(Run(tmp_path / "run")).split())


def test_one_seed_is_unknown(tmp_path: Path) -> None:
    found = removals(ablation(tmp_path / "run", {"b": 0.0, "x": -0.2}, seeds=(0,)))
    assert found["x"].verdict == "unknown"
    assert np.isnan(found["x"].p)


def test_holm_keeps_one_of_many_from_being_an_effect(tmp_path: Path) -> None:
    weak = [0.0, 0.05, 0.1, 0.02, 0.06, -0.01, 0.03, 0.02]
    alone = removals(ablation(tmp_path / "one", {"b": 0.0, "x": weak}))
    several = removals(ablation(tmp_path / "run", {"b": 0.0, "x": weak, "y": NOISE, "z": NOISE}))
    assert (alone["x"].verdict, several["x"].verdict) == ("better", "unknown")


def test_censored_pairs_are_not_differenced_and_said(tmp_path: Path) -> None:
    lifts = {"b": 0.0, "x": [-0.03 + e for e in NOISE], "y": [0.03 + e for e in NOISE]}
    run = ablation(tmp_path / "run", lifts, y={"status": "pruned"})
    found = removals(run)
    assert (found["y"].pairs.censored, found["y"].effect.interval.n, found["y"].verdict) == (8, 0, "unknown")
    assert found["x"].effect.interval.n == 8
    assert found["x"].p == pytest.approx(2 * found["x"].effect.p_t)
    assert "8 censored pairs" in " ".join(shown(run).split())


def test_censored_pair_makes_unknown_with_bounds_by_hand(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": [-0.03 + e for e in NOISE]})
    units = every_unit(run)
    at = units.index[(units["config"] == "x") & (units["seed"] == 3)][0]
    units.loc[at, "status"] = "pruned"
    (effect,) = arm_effects(run, units, contrasts(arms(run))["removal"], AUPR, 0.005)
    base = units[units["config"] == "b"].set_index("seed")["aupr"]
    others = [-0.03 + e for seed, e in enumerate(NOISE) if seed != 3]
    assert effect.verdict == "unknown"
    assert effect.effect.interval.high < 0, "seven seeds that agree would have said worse"
    assert effect.pairs.low == pytest.approx((sum(others) + 0.0 - base[3]) / 8)
    assert effect.pairs.high == pytest.approx((sum(others) + 1.0 - base[3]) / 8)


def test_bounds_of_a_likelihood_have_no_upper_end(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": NOISE}, x={"status": "pruned"})
    (effect,) = arm_effects(run, every_unit(run), contrasts(arms(run))["removal"], CRITERIA["nll"], 0.005)
    assert (effect.pairs.high, effect.verdict) == (np.inf, "unknown")
    assert np.isfinite(effect.pairs.low)


def test_change_of_parameters_is_shown(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": NOISE}, b={"parameters": 1000}, x={"parameters": 900})
    assert removals(run)["x"].parameters == -100
    assert "-100" in shown(run)


def test_aa_placebo_stands_beside_and_marks_what_is_chance(tmp_path: Path) -> None:
    lifts = {"b": 0.0, "p": [0.04 + e for e in NOISE], "x": [-0.03 + e for e in NOISE]}
    run = ablation(tmp_path / "run", lifts)
    text = shown(run)
    assert "A/A: base" in text
    assert "not chance" in text, "0.04 in every seed is no chance"
    assert "The base differs from itself" in text
    assert "unknown *" in text, "what is not larger than the A/A difference is no finding"
    assert corrected_families(arms(run)) == {"mechanism contrasts": {"base": ["without x"]}}
    assert max(map(len, text.splitlines())) <= 80


def test_seeds_that_agree_to_the_last_digit_say_unknown(tmp_path: Path) -> None:
    found = removals(ablation(tmp_path / "run", {"b": 0.0, "x": 0.0, "y": 0.02}, seeds=(0, 1)))
    assert {config: each.verdict for config, each in found.items()} == {"x": "unknown", "y": "unknown"}
    assert np.isnan([found["x"].detectable, found["y"].p]).all()
    text = " ".join(shown(Run(tmp_path / "run")).split())
    assert "says nothing of their spread: without x, without y" in text
    many = removals(ablation(tmp_path / "many", {"b": 0.0, "x": 0.0}, seeds=tuple(range(24))))
    assert many["x"].verdict == "no effect"


def test_what_was_registered_counts_and_what_differs_is_said(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": [-0.03 + e for e in NOISE]})
    content = {
        "question": "?",
        "criterion": "val_unseen/macro/aupr",
        "rope": 0.005,
        "seeds": [0, 1],
        "families": {"mechanism contrasts": {"base": ["without x", "without y", "without z"]}},
    }
    entry = {"content": content, "previous": "", "sha256": entry_hash(content, "")}
    (run.path / "preregistration.json").write_text(json.dumps({"entries": [entry]}))
    text = " ".join(shown(Run(run.path)).split())
    assert "Holm over the family of 3" in text
    assert "not the one that was preregistered: gone: without y, without z" in text
    assert "8 seeds are analysed, 2 were preregistered" in text
    content["rope"] = 0.5
    (run.path / "preregistration.json").write_text(json.dumps({"entries": [entry]}))
    text = " ".join(shown(Run(run.path)).split())
    assert "nothing of it is used" in text
    assert "within ±0.005" in text
    (run.path / "preregistration.json").unlink()
    (run.path / "provenance.json").write_text(json.dumps({"preregistration": entry["sha256"]}))
    assert "preregistration.json is gone or empty" in " ".join(shown(Run(run.path)).split())


def test_folds_have_an_interval_of_their_own(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": [-0.03 + e for e in NOISE]}, folds=("chr8", "chr10x"))
    lines = {"name": "x", "test": ["A"], "val": ["B"], "chromosomes": ["chr8"]}
    plan = json.loads((run.path / "plan.json").read_text())
    plan["folds"] = {"chr8": lines, "chr10x": {**lines, "test": ["C"], "val": ["D"]}}
    (run.path / "plan.json").write_text(json.dumps(plan))
    (effect,) = removals(Run(run.path)).values()
    assert effect.over_folds.n == 2
    assert effect.over_folds.mean == pytest.approx(np.mean([-0.03 + e for e in NOISE]))
    text = " ".join(shown(Run(run.path)).split())
    assert "for a new cell line: corrected t over 2 folds" in text


def test_removals_and_capacity_placebos_are_one_family(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": [-0.03 + e for e in NOISE], "q": NOISE})
    assert corrected_families(arms(run)) == {
        "mechanism contrasts": {"base": ["without x", "x on permuted z_i"]},
    }
    found = removals(run)
    assert found["x"].p == pytest.approx(2 * found["x"].effect.p_t)
    assert "Holm over the family of 2" in " ".join(shown(run).split())


def test_dunnett_stands_beside_for_arms_of_one_base(tmp_path: Path) -> None:
    worse = [-0.03 + e for e in NOISE]
    found = removals(ablation(tmp_path / "run", {"b": 0.0, "x": worse, "y": NOISE}))
    expected = dunnett_p([worse, list(NOISE)])
    assert [found[c].p_dunnett for c in "xy"] == pytest.approx(list(expected), abs=1e-6)
    assert found["x"].improves == pytest.approx(probability_of_improvement(*values_of(found["x"])))
    alone = removals(ablation(tmp_path / "one", {"b": 0.0, "x": NOISE}))
    assert np.isnan(alone["x"].p_dunnett), "one arm has nothing to be corrected for"


def test_permuted_addition_is_compared_with_the_addition(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "x": NOISE, "q": NOISE}, seeds=(0,))
    plan = json.loads((run.path / "plan.json").read_text())
    plan["configs"][1] |= {"family": "addition", "arm": "base + x"}
    (run.path / "plan.json").write_text(json.dumps(plan))
    (contrast,) = contrasts(arms(Run(run.path)))["capacity placebo"]
    assert (contrast.config, contrast.against) == ("q", "x")


def test_design_without_arms_is_told_so(tmp_path: Path) -> None:
    write_run(tmp_path / "run", seeds=(0,))
    with pytest.raises(UserError, match="names no arms"):
        shown(Run(tmp_path / "run"))


def test_map_of_cell_lines_by_hand(tmp_path: Path) -> None:
    lift = tuple(-0.03 + e for e in NOISE)
    run = ablation(tmp_path / "run", {"b": 0.0, "x": lift, "y": NOISE})
    effects = cell_effects(run, contrasts(arms(run)))
    lines = {each.cell_line for each in effects}
    assert len(effects) == 2 * len(lines) >= 4
    for each in effects:
        planted = lift if each.arm == "without x" else NOISE
        assert each.effect.interval.mean == pytest.approx(np.mean(planted), abs=1e-9)
    ordered = sorted(effects, key=lambda each: each.effect.p_t)
    assert ordered[0].p == pytest.approx(len(effects) * ordered[0].effect.p_t)
    text = " ".join(shown(run, cells=True).split())
    assert "exploratory, a family of its own" in text
    assert "-0.030*" in text
    assert f"Holm over the {len(effects)} numbers of the map" in text
