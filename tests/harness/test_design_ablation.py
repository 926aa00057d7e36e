"""leave_one_out, add_one_in and factorial: the arms of a YAML, what is printed of them, and mistakes in one sentence."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.errors import UserError
from harness.config.blocks.design import Arm, Basis
from harness.config.blocks.explain import ConfigError
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.enumerated import check_enumerated
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.design.factorial import Factorial
from harness.sweep.show.arms import print_arms


def sweep(folder: Path, design: Any, base: str = "rp24", **keys: Any) -> Sweep:
    file = folder / "a.yaml"
    file.write_text(
        json.dumps({"name": "a", "base": base, "data": {"synthetic": {}}, "design": design, **keys})
    )
    return load_sweep(file)


def printed(made: Sweep) -> str:
    stream = io.StringIO()
    print_arms(Console(file=stream, width=150), made)
    return stream.getvalue()


def test_a_base_has_an_arm_per_mechanism_and_placebos(tmp_path: Path) -> None:
    arms = sweep(tmp_path, "leave_one_out").arms()
    families = {arm.family for arm in arms}
    assert families == {"base", "A/A placebo", "removal", "capacity placebo"}
    by_name = {arm.name: arm for arm in arms}
    assert by_name["base"].changes == {}
    assert by_name["base, other streams"].changes == {"streams": "placebo"}
    assert by_name["without contrastive"].changes == {"loss.contrastive.weight": 0.0}
    assert by_name["contrastive on permuted cell"].changes == {"permuted": ["contrastive"]}
    assert by_name["without learned"].along == ("temperature",)
    placebos = {arm.mechanism for arm in arms if arm.family == "capacity placebo"}
    removed = {arm.mechanism: arm for arm in arms if arm.family == "removal"}
    assert placebos == {"pearson", "contrastive", "prototypes_hinged"} <= set(removed)
    for mechanism, arm in removed.items():
        assert ("capacity not held" in arm.note) == (mechanism not in placebos)


@pytest.mark.parametrize("of", ["rp24", "complete"])
@pytest.mark.filterwarnings("error")
def test_the_study_of_arms_can_be_written_whatever_they_set(of: str, tmp_path: Path) -> None:
    made = sweep(tmp_path, {"kind": "add_one_in", "of": of}, base="minimal")
    assert any(isinstance(value, list) for arm in made.arms() for value in arm.changes.values())
    studied = made.studied
    entry = studied.entries["arm"]
    assert type(entry).model_validate(json.loads(json.dumps(studied.content()))["entries"]["arm"]) == entry
    for arm in made.arms():
        assert studied.find({"streams": "", "permuted": [], **arm.changes}) == {"arm": arm.name}


def test_a_source_that_reads_a_table_has_a_placebo_too(tmp_path: Path) -> None:
    made = sweep(tmp_path, "leave_one_out", base="minimal", set={"environment.source": "features"})
    by_name = {arm.name: arm for arm in made.arms()}
    assert by_name["features on permuted v"].changes == {"permuted": ["features"]}
    assert "capacity not held" not in by_name["without features"].note


def test_what_has_no_placebo_says_why(tmp_path: Path) -> None:
    text = " ".join(printed(sweep(tmp_path, "leave_one_out", base="complete")).split())
    for keys, reason in (
        ("gradient", "it knows cell lines by name, and is the same under other names"),
        ("gcn", "it reads nothing but its own parameters, which have no order"),
        (
            "support",
            "given what belongs to other pairs, it would let a pair's score depend on them, across splits",
        ),
    ):
        (line,) = [
            part for part in text.split("capacity not held of ") if part.split(": ")[1].startswith(reason)
        ]
        assert keys in line.split(": ")[0].split(", ")
    alone = sweep(tmp_path, {"kind": "leave_one_out", "placebos": ["streams"]}, base="minimal")
    assert "capacity not held of" not in printed(alone)


def test_two_removals_of_one_configuration_are_one_arm(tmp_path: Path) -> None:
    arms = sweep(tmp_path, "leave_one_out", base="complete").arms()
    (arm,) = [arm for arm in arms if "competition" in arm.mechanism and arm.family == "removal"]
    assert arm.name == "without opportunist, competition"
    assert arm.along == ()


def test_an_addition_carries_its_placebo_beside_it(tmp_path: Path) -> None:
    made = sweep(tmp_path, {"kind": "add_one_in", "of": "rp24"}, base="minimal")
    by_name = {arm.name: arm for arm in made.arms()}
    added, placebo = by_name["minimal + contrastive"], by_name["contrastive on permuted cell"]
    assert placebo.changes == {**added.changes, "permuted": ["contrastive"]}
    assert by_name["minimal + temperature"].along == ("learned",)
    assert {arm.family for arm in by_name.values()} == {"base", "A/A placebo", "addition", "capacity placebo"}


def test_only_some_mechanisms_and_no_placebos(tmp_path: Path) -> None:
    made = sweep(tmp_path, {"kind": "leave_one_out", "only": ["pearson", "ramp"], "placebos": []})
    assert [arm.name for arm in made.arms()] == ["base", "without pearson", "without ramp"]


def test_what_is_printed_names_closures_and_what_stays(tmp_path: Path) -> None:
    text = printed(sweep(tmp_path, "leave_one_out", base="complete"))
    assert "gcn: takes graph_map with it" in text
    assert "gradient: takes fusion, distillation with it" in text
    assert "fourier_kan stays: U_I is what it makes of z_I" in text
    assert "nothing is tuned anew" in text
    assert "A/A placebo" in text


FACTORS: dict[str, Any] = {
    "energy.form": {"grid": ["linear", "gated"]},
    "loss.ranking.weight": {"grid": [0.0, 0.5]},
    "decouple.pearson": {"grid": [0.0, 0.5]},
    "loss.calibration.weight": {"grid": [0.0, 0.5]},
}


def factorial(tmp_path: Path, space: Any = FACTORS, **options: Any) -> Sweep:
    return sweep(tmp_path, {"kind": "factorial", **options}, base="minimal", space=space)


def test_levels_are_the_settings_of_an_arm(tmp_path: Path) -> None:
    arms = factorial(tmp_path, factors=["moments"]).arms()
    assert len(arms) == 32
    for arm in arms:
        assert set(arm.levels) == {"moments", *FACTORS}
        assert (arm.changes.get("environment.encoder") == "mean") == (arm.levels["moments"] < 0)
        for name, entry in FACTORS.items():
            assert arm.changes[name] == entry["grid"][arm.levels[name] > 0]


def test_a_fraction_prints_its_aliases_before_it_runs(tmp_path: Path) -> None:
    made = factorial(tmp_path, runs="fractional", resolution=4)
    assert len(made.arms()) == 8
    text = printed(made)
    assert "2^(4-1) fraction, 8 runs, resolution 4: D = ABC" in text
    assert "I = ABCD" in text
    assert "AB = CD; AC = BD; AD = BC" in text
    assert "clear of all effects of up to two factors: A, B, C, D" in text


def test_generators_are_those_that_are_given(tmp_path: Path) -> None:
    made = factorial(tmp_path, runs="fractional", generators=["D = AB"])
    assert "resolution 3: D = AB" in printed(made)
    assert all(
        arm.levels["loss.calibration.weight"] == arm.levels["energy.form"] * arm.levels["loss.ranking.weight"]
        for arm in made.arms()
    )


def test_plackett_burman_prints_what_is_partly_mixed(tmp_path: Path) -> None:
    made = factorial(
        tmp_path, factors=["moments", "immax", "isolated", "self_attention"], runs="plackett_burman"
    )
    text = printed(made)
    assert len(made.arms()) == 12
    assert "Plackett-Burman, 12 runs" in text
    assert "+0.33" in text
    assert "-0.33" in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"factors": ["gated"]}, "the base has no mechanism 'gated'"),
        ({"factors": ["fourier_kan"]}, "fourier_kan stays: U_I is what it makes of z_I"),
        ({"factors": ["support", "moments"]}, "linked, one goes with the other"),
        ({"resolution": 4}, r"design.resolution is of a fraction, and design.runs is full"),
        ({"runs": "fractional", "generators": ["E = AB"]}, "expected D = a product of two or more of ABC"),
        ({"runs": "fractional", "generators": ["D=AB"], "resolution": 4}, "have resolution 3, not 4"),
        ({"runs": "fractional", "generators": ["C=AB", "D=AB"]}, "have resolution 2, not 3"),
        ({"runs": "half"}, "runs is 'half', expected one of full, fractional, plackett_burman"),
        ({"resolutoin": 4}, "'resolutoin' is not a key"),
        ({"factors": ["scope_cell"]}, "scope_cell stays: an R_E has a scope"),
    ],
)
def test_a_factorial_that_there_is_not_gets_one_sentence(
    options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        factorial(tmp_path, **options)


def test_factors_linked_by_when_are_refused(tmp_path: Path) -> None:
    linked = {
        "energy.form": {"grid": ["linear", "gated"]},
        "energy.w": {"grid": [0.5, 2.0], "when": {"energy.form": "gated"}},
    }
    with pytest.raises(UserError, match=r"energy.w exists only when energy.form has a value \(when\)"):
        factorial(tmp_path, linked)
    with pytest.raises(UserError, match="is no factor with two levels"):
        factorial(tmp_path, {"energy.form": {"grid": ["linear", "gated", "blocking"]}})
    with pytest.raises(UserError, match="expected at least two factors"):
        factorial(tmp_path, {"energy.form": {"grid": ["linear", "gated"]}})
    with pytest.raises(
        UserError, match=r"that cannot be: balance.kind: grad_norm has no gradients to balance"
    ):
        sweep(
            tmp_path,
            {"kind": "factorial", "factors": ["pearson", "ranking_pairwise"]},
            base="minimal",
            set={"balance.kind": "grad_norm", "loss.ranking.weight": 0.5, "decouple.pearson": 0.5},
        )


@pytest.mark.parametrize(
    ("design", "sentence"),
    [
        ({"kind": "leave_one_out", "only": ["graph"]}, r"only: 'graph': there is none of .*"),
        ({"kind": "leave_one_out", "only": ["cbat", "stem"]}, "'stem': .*"),
        ({"kind": "add_one_in"}, "'of' is needed"),
        ({"kind": "add_one_in", "of": "rp42"}, "there is no preset 'rp42'"),
        (
            {"kind": "leave_one_in"},
            "design.kind is 'leave_one_in', expected one of .*did you mean 'leave_one_out'",
        ),
        ({"of": "rp24"}, "design needs its key kind"),
        ({"kind": "grid", "of": "rp24"}, "'of' is not a key"),
    ],
)
def test_a_design_that_there_is_not_gets_one_sentence(design: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence) as refused:
        sweep(tmp_path, design)
    assert str(refused.value).startswith(f"{tmp_path / 'a.yaml'}:1: ")


def test_a_base_with_the_streams_of_a_placebo_is_refused(tmp_path: Path) -> None:
    given: dict[str, Any] = {"set": {"streams": "placebo"}}
    with pytest.raises(
        UserError, match="streams: 'placebo' is what an A/A placebo is called; expected a word"
    ):
        sweep(tmp_path, "leave_one_out", **given)
    without = sweep(tmp_path, {"kind": "leave_one_out", "placebos": ["capacity"]}, **given)
    assert "A/A placebo" not in {arm.family for arm in without.arms()}


@pytest.mark.parametrize(
    "name", ["leave_one_out", "add_one_in", "factorial", "path", "search_pareto", "shared_prefix"]
)
def test_every_shipped_design_loads_and_says_what_it_asks(name: str) -> None:
    file = SEARCH_SPACES / f"{name}.yaml"
    text = file.read_text(encoding="utf-8")
    assert "# Asks: " in text
    assert f"# Launch: python -m harness.sweep search_spaces/{name}.yaml" in text
    made = load_sweep(file)
    assert made.trials <= 20, "minutes, not hours"


TAU = {"loss.contrastive.tau": {"grid": [0.1, 0.5]}}


@pytest.mark.parametrize(
    ("factors", "space", "runs", "sentence"),
    [
        (["contrastive"], TAU, "full", r"tau acts only with loss.contrastive.weight > 0, which contrastive takes"),
        (["contrastive", "pearson"], TAU, "plackett_burman", "which contrastive takes away in some runs"),
        (["pearson", "sparsity_z_i"], {"loss.ranking.weight": {"grid": [0.3, 0.3]}}, "full", "weight are the same"),
        (["pearson", "sparsity_z_i"], {"loss.ranking.weight": {"grid": [0, 0.0]}}, "fractional", "are the same"),
        (["pearson"], {"arm": {"choice": {"a": {}, "b": {}}}}, "full", "two levels of arm are the same"),
        (["pearson"], {"arm": {"choice": {"a": {}, "b": {"routing": "isolated"}}}}, "full", "of arm are the same"),
        (["pearson", "sparsity_z_i"],
         {"arm": {"choice": {"a": {"loss.ranking.weight": 1}, "b": {"loss.ranking.weight": 1, "loss.ranking.tau": 1}}}},
         "fractional", "two levels of arm are the same"),
        ([], {"a": {"choice": {"a": {}, "b": {"loss.ranking.weight": 0.5}}}, "loss.ranking.tau": {"choice": [None, 2.0]}},
         "full", "tau is also drawn where nothing reads it"),
    ],
)  # fmt: skip
def test_a_factor_of_one_level_in_some_run_is_refused(
    factors: list[str], space: Any, runs: str, sentence: str, tmp_path: Path
) -> None:
    options = {"runs": runs, **({"resolution": 3} if runs == "fractional" else {})}
    with pytest.raises(UserError, match=sentence) as refused:
        sweep(tmp_path, {"kind": "factorial", "factors": factors, **options}, space=space)
    assert str(refused.value).count("\n") == 0


class Twice(Factorial):
    """Two arms that are one configuration: the scale that a surrogate has anyway."""

    def arms(self, basis: Basis) -> list[Arm]:
        return [Arm({"loss.ranking.tau": None}, "its own"), Arm({"loss.ranking.tau": 1.0}, "named")]

    def inert(self, basis: Basis) -> Iterator[tuple[str, str]]:
        yield from ()


def test_arms_that_are_one_configuration_are_refused(tmp_path: Path) -> None:
    made = sweep(tmp_path, "grid", set={"loss.ranking.weight": 0.5})
    with pytest.raises(ConfigError, match="its own and named are the same configuration"):
        check_enumerated(Twice(), made.basis)
