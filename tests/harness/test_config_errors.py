"""Every mistake in a sweep's YAML is one sentence with its file, its line and, where there is one, the nearest name."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.sweep.sweep import load_sweep

GOOD = """name: tiny
base: minimal
data:
  synthetic: {form: gated}
trial: {epochs: 4, seeds: 2}
set:
  optimiser.lr: 0.001
space:
  energy.form: {choice: [linear, gated]}
  energy.w: {uniform: [0.5, 2.0], when: {energy.form: gated}}
trials: 4
objective: val_unseen/pooled/aupr
sampler: {startup: 2}
"""
LR, W, SPACE_END = (
    "optimiser.lr: 0.001",
    "energy.w: {uniform: [0.5, 2.0], when: {energy.form: gated}}",
    "trials: 4\n",
)
TEMPERATURES = """  temperature.mode: {choice: [fixed, learned], when: {energy.form: linear}}
  temperature.penalty: {loguniform: [0.1, 1.0], when: {temperature.mode: learned, energy.form: gated}}
"""
# title, text replaced, by what, line named (None: the file alone), what the sentence says
BAD: list[tuple[str, str, str, int | None, str]] = [
    ("unknown key", "trials: 4\n", "trails: 4\n", 11, "'trails' is not a key .* did you mean 'trials'"),
    ("unknown key in a block", "epochs: 4", "epoch: 4", 5, "'epoch' is not a key of 'trial' .* 'epochs'"),
    ("a word for a number", LR, "optimiser.lr: fast", 7, "optimiser.lr is 'fast', expected a number"),
    ("a quoted number", LR, 'optimiser.lr: "0.001"', 7, "optimiser.lr is '0.001', expected a number"),
    ("true for a number", LR, "optimiser.lr: true", 7, "optimiser.lr is true, expected a number"),
    ("NaN", LR, "optimiser.lr: .nan", 7, "expected a finite number"),
    ("above the range", LR, "optimiser.lr: 10", 7, "optimiser.lr is 10, expected at most 1.0"),
    ("unknown path", LR, "optimiser.learning_rate: 1", 7, "did you mean 'optimiser.lr'"),
    ("a block for a path", LR, "optimiser: 3", 7, "'optimiser' is a block, not a value"),
    ("set where nothing reads", LR, "loss.ranking.tau: 2.0", 7, "acts only with loss.ranking.weight > 0"),
    ("unknown limit", LR, "limits.overfit_tran: 0.9", 7, "did you mean 'overfit_train'"),
    ("epochs given twice", LR, "optimiser.epochs: 3", 5, "trial.epochs sets optimiser.epochs, which set gives"),
    ("no phase 2", LR, "curriculum.phase1_epochs: 4", 7, "leaves no epoch of phase 2"),
    ("unknown path in space", "energy.w:", "energy.wz:", 10, "did you mean 'energy.w'"),
    ("end out of range", "[0.5, 2.0]", "[0.5, 200.0]", 10, "energy.w is 200.0, expected at most 10.0"),
    ("ends reversed", "[0.5, 2.0]", "[2.0, 0.5]", 10, "needs its first end below its second"),
    ("three ends", "[0.5, 2.0]", "[0.5, 1.0, 2.0]", 10, "uniform has 3 entries, expected at most 2"),
    ("logarithm of 0", "{uniform: [0.5", "{loguniform: [0", 10, "needs a first end above 0"),
    ("unknown distribution", "{uniform:", "{unifrom:", 10, "did you mean 'uniform'"),
    ("two distributions", "{uniform", "{grid: [1.0], uniform", 10, "has .*grid.*expected exactly one"),
    ("no distribution", "{uniform: [0.5, 2.0], when", "{when", 10, "energy.w has no distribution"),
    ("not a distribution", W, "energy.w: 1.0", 10, "energy.w is 1.0, expected a distribution"),
    ("unknown choice", "[linear, gated]", "[linear, gate]", 9, "did you mean 'gated'"),
    ("empty choice", "[linear, gated]", "[]", 9, "choice has 0 entries, expected at least 1"),
    ("value never offered", "form: gated}}", "form: interaction}}", 10, "can never hold, the space offers linear"),
    ("condition misspelt", "form: gated}}", "form: gatedd}}", 10, "did you mean 'gated'"),
    ("condition on no path", "when: {energy.form", "when: {energy.from", 10, "did you mean 'energy.form'"),
    ("condition on the base", "{energy.form: gated}}", "{routing: shared}}", 10, "does not vary routing and it is"),
    ("condition on a range", SPACE_END, "  loss.ranking.weight: {grid: [1.0], when: {energy.w: 1.0}}\n" + SPACE_END, 11,
     "names energy.w, which is a range"),
    ("conditions exclude each other", SPACE_END, TEMPERATURES + SPACE_END, 12, "can never hold together"),
    ("conditions in a circle", "[linear, gated]}", "[linear, gated], when: {model.pool: 12}}\n"
     "  model.pool: {choice: [12, 24], when: {energy.form: linear}}", 8, "in a circle"),
    ("condition forgotten", ", when: {energy.form: gated}", "", 10, "add when: {energy.form: gated}"),
    ("swept where nothing reads", SPACE_END, "  loss.ranking.tau: {grid: [1.0, 2.0]}\n" + SPACE_END, 11,
     "acts only with loss.ranking.weight > 0"),
    ("impossible combination", SPACE_END, "  environment.source: {choice: [support, none]}\n" + SPACE_END, 11,
     "environment.source: none has no R_E"),
    ("no multiple", SPACE_END, "  model.width: {choice: [32, 33]}\n" + SPACE_END, 11, "33 is not a multiple"),
    ("option sets no path", SPACE_END, "  arm: {choice: {a: {decouple.pearsn: 1}, b: {}}}\n" + SPACE_END, 11,
     "did you mean 'decouple.pearson'"),
    ("option set twice", SPACE_END, "  arm: {choice: {a: {energy.form: gated}, b: {}}}\n" + SPACE_END, 11,
     "energy.form is set twice in one draw, by arm and by energy.form"),
    ("unknown preset", "base: minimal", "base: minimum", 2, "did you mean 'minimal'"),
    ("no preset", "base: minimal\n", "", 1, "'base' is needed"),
    ("duplicate key", "trials: 4\n", "trials: 4\ntrials: 5\n", 12, "'trials' is given twice"),
    ("not YAML", "trials: 4\n", "trials: [4\n", 12, "this is not YAML"),
    ("a tab", "  optimiser.lr", "\toptimiser.lr", 7, "this is not YAML"),
    ("a number for a key", "trials: 4\n", "trials: 4\n3: 4\n", 12, "a key must be a word, found 3"),
    ("the test set", "val_unseen/pooled", "test/pooled", 12, "refused, test .* use val_unseen/pooled/aupr"),
    ("unknown objective", "pooled/aupr", "pooled/auprc", 12, "did you mean 'val_unseen/pooled/aupr'"),
    ("unknown rule", "trials: 4\n", "trials: 4\nstop: [mode_colapse]\n", 12, "did you mean 'mode_collapse'"),
    ("grace too long", "trials: 4\n", "trials: 4\nscheduler: {grace: 9}\n", 12, "more than the trial's 4 epochs"),
    ("key of another variant", "trials: 4\n", "trials: 4\nscheduler: {kind: none, grace: 1}\n", 12, "'grace' is not"),
    ("unknown scheduler", "trials: 4\n", "trials: 4\nscheduler: {kind: asah}\n", 12, "did you mean 'asha'"),
    ("trials of a grid", "trials: 4\n", "trials: 4\ndesign: grid\n", 11, "trials has no meaning under design: grid"),
    ("a range in a grid", "trials: 4\nobjective: val_unseen/pooled/aupr\nsampler: {startup: 2}\n", "design: grid\n",
     10, "is continuous and design: grid needs finite values"),
    ("seeds as a word", "seeds: 2", "seeds: two", 5, "expected a whole number or a list"),
    ("no seeds", "seeds: 2", "seeds: 0", 5, "trial.seeds is 0, expected at least 1"),
    ("a seed twice", "seeds: 2", "seeds: [1, 1]", 5, "names a seed twice"),
    ("budget below epochs", "epochs: 4", "epochs: 4, budget: 3", 5, "fewer than the 4 epochs"),
    ("two data sources", "{form: gated}", "{form: gated}\n  root: .", 3, "exactly one of root and synthetic"),
    ("no such folder", "synthetic: {form: gated}", "root: ./nowhere", 4, "there is no folder"),
    ("unknown form", "{form: gated}", "{form: gatd}", 4, "did you mean 'gated'"),
    ("an empty block", "set:\n  optimiser.lr: 0.001\n", "set:\n", 6, "set is empty, expected a mapping"),
    ("a name with a blank", "name: tiny", "name: my sweep", 1, "expected letters, digits"),
    ("part of several GPUs", "trials: 4\n", "trials: 4\nresources: {gpus_per_trial: 1.5}\n", 12, "whole GPUs"),
    ("empty file", GOOD, "", None, "the file is empty"),
    ("a list", GOOD, "- a\n", 1, "expected a mapping of keys to values, found a list"),
]  # fmt: skip


def test_the_sweep_that_the_mistakes_start_from_is_good(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(GOOD)
    assert load_sweep(file).warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_mistake_names_its_line(tmp_path: Path, old: str, new: str, line: int | None, says: str) -> None:
    assert old in GOOD
    file = tmp_path / "tiny.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UserError, match=says) as caught:
        load_sweep(file)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file}: " if line is None else f"{file}:{line}: "), sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("x", "expected path=value"),
        (
            "energy.from=gated",
            "is not a path of the configuration or of the sweep; did you mean 'energy.form'",
        ),
        ("optimiser.lr=fast", "expected a number"),
        ("optimiser=1", "is a block, not a value"),
        ("space.energy.w=1", "name the path itself"),
        ("energy.w=99", "energy.w is 99, expected at most 10.0"),
        ("trials=0", "trials is 0, expected at least 1"),
        ("trial.seeds=[1,2", "the value is not YAML"),
        ("objective=test/macro/aupr", "for reporting only"),
        ("energy.form=linear", "nothing is left to search; add --set design=grid"),
    ],
)
def test_mistake_on_the_command_line_names_the_setting(tmp_path: Path, setting: str, says: str) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(GOOD)
    with pytest.raises(UserError, match=says) as caught:
        load_sweep(file, overrides=[setting])
    assert str(caught.value).startswith(f"--set {setting}: ")


def test_mistake_in_a_preset_names_the_preset(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    preset = tmp_path / "presets" / "own.yaml"
    file = tmp_path / "tiny.yaml"
    file.write_text(GOOD.replace("minimal", "own"))
    preset.write_text("# a comment\nenergy:\n  form: linear\n  lam: 0.5\n")
    with pytest.raises(UserError, match=r"energy.lam exists only where energy.form is interaction") as caught:
        load_sweep(file)
    assert str(caught.value).startswith(f"{preset}:4: ")
    preset.write_text("loss:\n  contrastive: {tau: 0.5}\n")
    with pytest.raises(UserError, match=r"own.yaml:2: .* acts only with loss.contrastive.weight > 0"):
        load_sweep(file)


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load_sweep(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read as text"):
        load_sweep(tmp_path)
