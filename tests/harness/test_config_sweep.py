"""Loading a sweep: presets and spaces as shipped, settings of the command line, warnings, schema, CLI."""

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from analysis.errors import UserError
from analysis.rules import LIMITS
from harness.config import __main__ as config_command
from harness.config.__main__ import FILES
from harness.config.blocks.acting import unread
from harness.config.blocks.explain import ConfigError, validate
from harness.config.blocks.paths import find, flatten, leaves
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import SEARCH_SPACES, compose, load_preset
from harness.config.sweep.schema import as_text
from harness.config.sweep.sweep import load_sweep
from harness.config.yaml.lines import read_yaml
from tests.harness.command import command

SPACES = sorted(SEARCH_SPACES.glob("*.yaml"))
PRESETS = sorted((SEARCH_SPACES / "presets").glob("*.yaml"))
RP24 = SEARCH_SPACES / "rp24.yaml"


@pytest.mark.parametrize("file", SPACES, ids=lambda file: file.stem)
def test_every_space_loads_and_says_how_to_launch_it(file: Path) -> None:
    sweep = load_sweep(file)
    header, launch = (
        sweep.text.splitlines()[0],
        f"# Launch: python -m harness.sweep search_spaces/{file.name}",
    )
    assert header == "# yaml-language-server: $schema=schema.json"
    assert "# Asks: " in sweep.text
    assert launch in sweep.text
    assert sweep.config.name == file.stem
    assert sweep.trials >= 2
    jsonschema.validate(read_yaml(file).data, json.loads((SEARCH_SPACES / "schema.json").read_text()))


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.stem)
def test_every_preset_loads_and_sets_nothing_idle(file: Path) -> None:
    base = load_preset(file.stem)
    assert unread(compose(base, {}), flatten(base)) == {}
    text = file.read_text()
    assert text.startswith("# yaml-language-server: $schema=../preset.schema.json\n# Asks: ")
    assert "# Launch: python -m " in text
    jsonschema.validate(base, json.loads((SEARCH_SPACES / "preset.schema.json").read_text()))


def test_presets_are_what_their_record_points_say() -> None:
    minimal, cross = compose(load_preset("minimal"), {}), compose(load_preset("cross_attention"), {})
    rp04, rp24 = compose(load_preset("rp04"), {}), compose(load_preset("rp24"), {})
    assert minimal.environment.source == "support"
    assert minimal.loss.speculation.weight == 0
    assert cross.model.encoder == "cross_attention"
    assert cross.environment.source == "none"
    assert (rp04.model.encoder, rp04.energy.form, rp04.temperature.mode) == ("cbat", "linear", "fixed")
    assert rp04.loss.speculation.weight > 0
    assert rp04.model.anchors == 2
    assert rp04.model.grid == 5
    assert (rp24.energy.form, rp24.temperature.mode) == ("interaction", "learned")
    assert rp24.decouple.pearson > 0
    assert rp24.loss.contrastive.weight > 0
    assert rp24.loss.contrastive.bank > 0
    assert rp24.loss.prototypes.weight > 0
    assert rp24.loss.prototypes.kind == "hinged"
    assert rp24.loss.sparsity.z_i > 0
    assert rp24.loss.sparsity.z_e > 0
    assert rp24.loss.calibration.weight > 0
    assert rp24.curriculum.phase1_epochs > 0
    assert rp24.balance.kind == "ramp"


def test_rp24_sweeps_what_the_record_points_left_blind() -> None:
    sweep = load_sweep(RP24)
    entries = sweep.space.entries
    assert {"energy.form", "temperature.mode", "decoupling"} <= set(entries)
    assert "gated" in (entries["energy.form"].values() or [])
    weights = [name for name in entries if name.endswith(".weight")]
    assert len(weights) >= 3
    assert all(entries[name].ends() == [0.01, 2.0] for name in weights)
    assert sweep.trials >= 8
    assert len(sweep.config.seeds) >= 3


@pytest.mark.parametrize("name", list(FILES))
def test_shipped_schema_is_current(name: str) -> None:
    assert (SEARCH_SPACES / name).read_text() == as_text(FILES[name]()), (
        "run python -m harness.config schema --write"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"trails": 3},
        {"set": {"optimiser.lr": 10}},
        {"space": {"energy.w": {"unifrom": [1, 2]}}},
        {"trials": "8"},
    ],
)
def test_schema_refuses_what_the_loader_refuses(change: dict) -> None:
    data = {"name": "x", "base": "minimal", "data": {"synthetic": {}}, **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json.loads((SEARCH_SPACES / "schema.json").read_text()))


def test_command_line_wins_over_the_yaml_and_pins_swept_paths() -> None:
    sweep = load_sweep(
        RP24,
        overrides=[
            "optimiser.lr=0.01",
            "energy.form=linear",
            "trials=3",
            "trial.seeds=[4, 5]",
            "scheduler.kind=none",
        ],
    )
    assert sweep.trial.optimiser.lr == 0.01
    assert sweep.trial.energy.form == "linear"
    assert sweep.trials == 3
    assert sweep.config.seeds == [4, 5]
    assert sweep.config.scheduler.kind == "none"
    assert not {"energy.form", "energy.lam", "energy.w"} & set(sweep.space.entries)
    assert sum("rules its condition out" in sentence for sentence in sweep.warnings) == 2
    assert "energy.form is not swept, because --set fixes it" in sweep.warnings
    assert not any("optimiser.lr" in sentence for sentence in sweep.warnings), "it was none of the space"


def test_pinning_a_conditional_path_keeps_its_condition() -> None:
    sweep = load_sweep(RP24, overrides=["energy.w=1.5"])
    assert sweep.space.entries["energy.w"].values() == [1.5]
    assert sweep.space.entries["energy.w"].when == {"energy.form": "gated"}
    assert "energy.w is not swept, because --set fixes it" in sweep.warnings


def test_epochs_of_the_command_line_replace_either_blocks() -> None:
    assert load_sweep(RP24, overrides=["optimiser.epochs=12"]).trial.optimiser.epochs == 12
    assert load_sweep(RP24, overrides=["trial.epochs=12"]).trial.optimiser.epochs == 12


def test_budget_is_shared_out_over_the_epochs() -> None:
    sweep = load_sweep(RP24, overrides=["trial.budget=90", "trial.epochs=8"])
    assert sweep.trial.optimiser.steps_per_epoch == 11


def test_data_root_takes_the_place_of_the_synthetic_benchmark(tmp_path: Path) -> None:
    sweep = load_sweep(RP24, data_root=tmp_path)
    assert sweep.config.data.root == tmp_path
    assert sweep.config.data.synthetic is None
    with pytest.raises(UserError, match=r"^--data .*nowhere: data.root: there is no folder"):
        load_sweep(RP24, data_root=tmp_path / "nowhere")


def test_objective_that_cannot_see_the_energy_is_warned_of() -> None:
    blind = load_sweep(SEARCH_SPACES / "truth_gated.yaml", overrides=["objective=val_unseen/macro/aupr"])
    assert any("cannot see energy.form" in s and "val_unseen/pooled/aupr" in s for s in blind.warnings)
    at_sample = ["objective=val_unseen/macro/aupr", "environment.scope=sample"]
    assert load_sweep(SEARCH_SPACES / "truth_gated.yaml", overrides=at_sample).warnings == ()
    assert load_sweep(SEARCH_SPACES / "truth_gated.yaml").warnings == ()


def test_other_warnings() -> None:
    assert any("TPE never starts" in s for s in load_sweep(RP24, overrides=["sampler.startup=9"]).warnings)
    pins = ["temperature.mode=learned", "loss.calibration.weight=0"]
    assert any("share one scale" in s for s in load_sweep(RP24, overrides=pins).warnings)
    branch = ["predict.mode=branch_select"]
    assert any("nothing to choose" in s for s in load_sweep(RP24, overrides=branch).warnings)
    at_sample = [*branch, "environment.scope=sample"]
    assert not any("nothing to choose" in s for s in load_sweep(RP24, overrides=at_sample).warnings)


def test_grid_runs_whole_unless_a_scheduler_is_asked_for() -> None:
    file = SEARCH_SPACES / "truth_linear.yaml"
    assert load_sweep(file).config.scheduler.kind == "none"
    assert load_sweep(file, overrides=["scheduler.kind=asha"]).config.scheduler.kind == "asha"
    assert load_sweep(RP24, overrides=["scheduler.grace=3"]).config.scheduler.kind == "asha"


def test_types_are_strict() -> None:
    for bad in ({"optimiser": {"lr": True}}, {"optimiser": {"lr": "1"}}, {"optimiser": {"epochs": 2.0}}):
        with pytest.raises(ConfigError, match="expected a"):
            validate(ConfigurationBlock, bad)
    assert validate(ConfigurationBlock, {"optimiser": {"lr": 1}}).optimiser.lr == 1.0


def test_error_inside_a_list_of_blocks_keeps_its_position() -> None:
    data = {"root": ".", "folds": [{"test": ["a"], "val": ["b"], "chromosomes": []}]}
    with pytest.raises(ConfigError, match=r"data.folds.0.chromosomes has 0 entries") as caught:
        validate(SweepBlock, {"name": "x", "base": "minimal", "data": data})
    assert caught.value.path == "data.folds.0.chromosomes"


def test_paths_know_their_variants_and_types() -> None:
    assert find("energy.w").variants == {"gated", "blocking"}
    assert find("energy.w").discriminator == "energy.form"
    assert find("environment.width").variants == {"id", "features", "support"}
    assert find("optimiser.lr").variants == frozenset()
    assert find("energy.form").check("gated") == "gated"
    resolved = flatten(ConfigurationBlock().resolved().model_dump())
    assert set(resolved) <= set(leaves())
    for path, value in resolved.items():
        assert find(path).check(value) == value


def test_cli_checks_files_and_exits_with_2_on_a_mistake(tmp_path: Path) -> None:
    good = command(
        "harness.config",
        "check",
        str(SEARCH_SPACES / "truth_linear.yaml"),
        str(SEARCH_SPACES / "presets" / "rp04.yaml"),
    )
    assert good.returncode == 0
    assert "2 configurations x" in good.stdout
    assert "preset, configuration" in good.stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\nbase: minimal\n")
    refused = command("harness.config", "check", bad)
    assert refused.returncode == 2
    assert refused.stderr == f"error: {bad}:1: 'data' is needed and is not given\n"


def test_cli_prints_the_schema_and_the_paths() -> None:
    assert json.loads(command("harness.config", "schema").stdout)["title"] == "Sweep"
    listed = command("harness.config", "paths", "energy.")
    assert listed.returncode == 0
    assert "energy.lam" in listed.stdout
    assert "interaction" in listed.stdout


def test_every_path_that_set_takes_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(prefix: str) -> set[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["config", "paths", prefix])
            assert config_command.main() == 0
        return {line.split()[0] for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")}

    assert {"trial.seeds", "trial.epochs", "trial.budget"} <= listed("trial.")
    assert {"scheduler.kind", "scheduler.grace"} <= listed("scheduler.")
    assert {f"limits.{name}" for name in LIMITS} <= listed("limits.")
    every = listed("")
    assert {*leaves(), "trials", "data.folds", "data.synthetic.form"} <= every
    assert not {path for path in every if path.startswith("data.folds.")}, "a list is set as a whole"
    with pytest.raises(UserError, match=r"or of the sweep starts with 'trail\.'; did you mean 'trial\.'"):
        listed("trail.")
