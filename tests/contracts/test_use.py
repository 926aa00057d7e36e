"""A person's own mechanisms, written outside the package: swept under Ray, audited, warned of, ranked, resumed, and each of
them caught where it is wrong. The files are those that docs/adding.md prints."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from analysis.store import Run
from harness.config.sweep.sweep import load_sweep
from harness.design.plan import Plan
from tests.contracts.mistakes import AUDITED, LOADED, SCORED
from tests.contracts.page import PAGE, ROOT, files_of_page, write_page
from tests.contracts.tried import TRIED
from tests.harness.apart import apart

OURS = {"mine", "screened", "largest", "even", "fading"}
"""Keys of what the sweep of the page has in the audit."""
RAISES = 'raise SystemExit("a file of a run was executed")\n'


def ran(folder: Path, *command: str, status: int = 0) -> str:
    """What a command prints in `folder`, where it has to end with `status`."""
    path = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    ended = subprocess.run(
        [sys.executable, *command], cwd=folder, env={**os.environ, **path}, capture_output=True, text=True
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def printed(folder: Path, module: str, *arguments: str, status: int = 0) -> str:
    """The same of a command of the product, in a process that need not import it anew."""
    ended = apart(folder, module, *arguments)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def flat(text: str) -> str:
    """On one line, however it was folded."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a person who has run the sweep of the page."""
    folder = write_page(tmp_path_factory.mktemp("mine"))
    (folder / "said.txt").write_text(ran(folder, "-m", "harness.sweep", "my_sweep.yaml"))
    return folder


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Mistake -> what is said of it."""
    lines = ran(ROOT, "-m", "tests.contracts.sabotaged", str(tmp_path_factory.mktemp("wrong"))).splitlines()
    answers: dict[str, Any] = json.loads(lines[-1])
    return answers


def table(folder: Path, name: str) -> pd.DataFrame:
    return Run.open(folder / "runs" / "mine").table(name)


def test_ones_own_design_says_what_is_swept(swept: Path) -> None:
    trials = table(swept, "units")
    assert set(trials["status"]) == {"done"}
    assert len(trials) == 4
    changes = {text: json.loads(text) for text in trials["changes_json"]}
    assert sorted(changes.values(), key=lambda change: change["loss.mine.scale"]) == [
        {"energy.form": "linear", "loss.mine.scale": 1.0},
        {"energy.form": "screened", "loss.mine.scale": 2.0},
    ]


def test_ones_own_mechanisms_are_audited_and_alive(swept: Path) -> None:
    audit = table(swept, "audit")
    own = audit[audit["mechanism"].isin(OURS)]
    assert set(own["mechanism"]) == OURS
    assert set(own["verdict"]) <= {"active", "rank-invariant"}, own[["mechanism", "verdict", "reason"]]
    assert set(own.loc[own["mechanism"] == "screened", "verdict"]) == {"rank-invariant"}


def test_nobody_asks_for_an_example_of_ones_own(swept: Path) -> None:
    audit = table(swept, "audit")
    asked = audit.loc[audit["mechanism"] == "examples", "reason"].fillna("")
    assert not asked.str.contains("no recorded example").any()


def test_ones_own_term_is_in_the_table_terms(swept: Path) -> None:
    terms = table(swept, "terms")
    own = terms[terms["term"] == "mine"]
    assert len(own) == 8
    assert (own["value"] > 0).all()
    assert own["weight"].between(0.4, 0.5, inclusive="neither").all(), "faded by the balance"


def test_ones_own_rule_warns_while_trials_run(swept: Path) -> None:
    warnings = table(swept, "warnings")
    own = warnings[warnings["rule"] == "still_high"]
    assert len(own) == 4
    assert own["live"].all()
    assert set(own["limit"]) == {0.1}
    assert set(own["mark"]) == {"H"}
    assert (own["value"] > 0.1).all()
    assert own["evidence"].str.startswith("total loss ").all()


def test_ones_own_baseline_stands_in_the_ranking(swept: Path) -> None:
    rows = table(swept, "baselines").query("baseline == 'gc_content'")
    assert set(rows["split"]) == {"val_unseen", "val_seen", "test"}
    assert set(rows["note"]) == {"GC content alone"}
    assert np.isfinite(rows["aupr"].to_numpy(dtype=float)).any()
    ranking = printed(swept, "analysis", "runs/mine")
    for text in ("baseline gc_content", "H still_high", "form=screened", "scale=2", "rank-invariant"):
        assert text in ranking, text


def test_a_ranking_executes_no_file_of_the_run(swept: Path, tmp_path: Path) -> None:
    shutil.copytree(swept / "runs" / "mine", tmp_path / "mine")
    before = printed(tmp_path, "analysis", "mine")
    copies = list((tmp_path / "mine" / "use").glob("*.py"))
    assert len(copies) == 8
    for copy in copies:
        copy.write_text(RAISES)
    assert printed(tmp_path, "analysis", "mine") == before
    assert "still_high" in before


def test_an_unchanged_file_goes_on_and_a_changed_one_is_told(swept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(swept, folder)
    same = flat(printed(folder, "harness.sweep", "my_sweep.yaml", "--resume"))
    assert "nothing to run: this sweep is finished" in same
    text = (folder / "my_terms.py").read_text()
    (folder / "my_terms.py").write_text(text.replace(".square().mean()", ".abs().mean()"))
    other = flat(printed(folder, "harness.sweep", "my_sweep.yaml", "--resume", "--dry-run"))
    assert "4 finished units are of" in other
    assert "use.my_terms" in other
    assert "run anew" in other
    assert len(Run.open(folder / "runs" / "mine").table("units")) == 4, "a dry run moves nothing"


def test_a_file_that_is_gone_is_named_at_a_resume(swept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    shutil.copytree(swept, folder)
    (folder / "my_energy.py").unlink()
    line = files_of_page()["my_sweep.yaml"].splitlines().index("base: minimal") + 2
    place = f"{folder / 'my_sweep.yaml'}:{line}: use"
    with pytest.raises(UserError) as caught:
        load_sweep(folder / "my_sweep.yaml")
    assert str(caught.value).startswith(f"{place}: there is no file {folder / 'my_energy.py'}")


def test_a_plan_without_its_files_names_them(swept: Path) -> None:
    with pytest.raises(UserError) as caught:
        Plan.load(swept / "runs" / "mine")
    names = ", ".join(
        sorted(name for name in files_of_page() if name not in ("my_source.py", "my_sweep.yaml"))
    )
    assert f"the run was started with {names}, which `use` of this sweep does not name" in str(caught.value)


def test_ones_own_rule_needs_no_torch(tmp_path: Path) -> None:
    write_page(tmp_path)
    text = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "ray"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
from pathlib import Path
from analysis.rules import RULES
from harness.config.sweep.use import load_use, read_use
load_use(read_use([Path("my_rule.py")], ["use"]))
print(*RULES)
"""
    assert ran(tmp_path, "-c", text).split()[-1] == "still_high"


def test_the_command_of_the_page_tries_the_term(tmp_path: Path) -> None:
    write_page(tmp_path)
    (command,) = re.findall(
        r"^python -m (harness\.single minimal --use .*)$", PAGE.read_text(encoding="utf-8"), re.M
    )
    assert command.endswith("--set loss.mine.weight=0.5")
    small = (
        "optimiser.steps_per_epoch=1",
        "model.encoder=cnn",
        "model.self_attention_layers=0",
        "model.embedding=4",
    )
    short = ("--epochs", "1", "--out", "run", *(word for text in small for word in ("--set", text)))
    said_of_it = printed(tmp_path, *shlex.split(command), *short)
    assert re.search(r"audit \(first\): \d+ mechanisms", said_of_it)
    run = Run.open(tmp_path / "run")
    assert "mine" in set(run.table("terms")["term"])
    audit = run.table("audit")
    assert set(audit.loc[audit["mechanism"] == "mine", "verdict"]) == {"active"}


def test_an_error_in_a_rule_ends_a_trial_with_its_place(tmp_path: Path) -> None:
    text = files_of_page()["my_rule.py"].replace("{reading.epoch}", "{reading.nowhere}")
    write_page(tmp_path, my_rule=text)
    (line,) = [number for number, content in enumerate(text.splitlines(), start=1) if "nowhere" in content]
    options = ("my_sweep.yaml", "--epochs", "1", "--out", "run")
    sentence = flat(printed(tmp_path, "harness.single", *options, status=2))
    assert f"my_rule.py:{line}: AttributeError: 'Reading' object has no attribute 'nowhere'" in sentence
    trials = Run.open(tmp_path / "run").table("units")
    assert list(trials["status"]) == ["failed"]
    assert f"my_rule.py:{line}: " in trials["reason"].iloc[0]


@pytest.mark.parametrize("room", ["single", "sweep"])
def test_a_class_that_cannot_work_leaves_nothing_behind(room: str, tmp_path: Path) -> None:
    text = files_of_page()["my_terms.py"].replace(".square().mean(), state", ".square(), state")
    write_page(tmp_path, my_terms=text)
    sentence = printed(tmp_path, f"harness.{room}", "my_sweep.yaml", "--out", "runs/mine", status=2)
    assert "returns as its value a tensor of shape [4, 6]" in sentence
    assert "Traceback" not in sentence
    assert not (tmp_path / "runs").exists()


def test_an_environment_source_of_ones_own_is_audited(said: dict[str, Any]) -> None:
    assert said["source"] == "active"


@pytest.mark.parametrize("name", [*LOADED, *TRIED])
def test_a_mistake_is_one_sentence_with_its_place(name: str, said: dict[str, Any]) -> None:
    mistake, sentence = {**LOADED, **TRIED}[name], said[name]
    text = files_of_page()[f"{mistake.file}.py"].replace(mistake.old, mistake.new)
    file, at = (f"{mistake.file}.py", mistake.at) if mistake.at else ("my_sweep.yaml", "design: ends")
    lines = text.splitlines() if mistake.at else files_of_page()[file].splitlines()
    (line,) = [number for number, content in enumerate(lines, start=1) if content.strip().startswith(at)]
    assert f"/{file}:{line}: " in sentence
    assert mistake.says in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", SCORED)
def test_a_baseline_that_cannot_be_trusted_is_refused(name: str, said: dict[str, Any]) -> None:
    assert SCORED[name].says in said[name]


def test_the_same_files_without_a_mistake_pass_the_audit(said: dict[str, Any]) -> None:
    assert {name: verdict for name, (verdict, _) in said["right"].items() if name in OURS} == {
        "mine": "active", "screened": "rank-invariant", "largest": "active", "even": "active", "fading": "active",
    }  # fmt: skip


@pytest.mark.parametrize("name", AUDITED)
def test_the_audit_catches_ones_own_sabotaged(name: str, said: dict[str, Any]) -> None:
    sabotage = AUDITED[name]
    verdict, reason = said[name][sabotage.mechanism]
    assert verdict == sabotage.verdict
    assert sabotage.mistake.says in reason
