"""`--confirm`: which configurations, seeds and fold a confirmation has, and that its test split is opened once."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis import load
from analysis.__main__ import main as analysis
from analysis.confirmation.choice import candidates
from analysis.confirmation.record import ChoiceRecord, Opening
from analysis.confirmation.seal import FILE, FOLDER
from analysis.errors import UserError
from analysis.ranking import Ranking, rank
from analysis.store import Run
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.design.plan import Plan
from harness.predict.command import main as predict
from harness.runs.__main__ import main as runs
from harness.sweep.confirmation import Confirming
from harness.sweep.confirming import run_confirmed
from harness.sweep.options import parse
from harness.sweep.start import Start
from tests.harness.without_ray import YAML, Small
from tests.recorded.copies import Copy, write_unit

TWO = f"{YAML}space:\n  energy.form: {{grid: [linear, gated]}}\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A finished selection of two configurations, two seeds each; read only."""
    small = Small(tmp_path_factory.mktemp("confirming"))
    small.start(yaml=TWO)
    return small


def words(small: Small, *more: str) -> list[str]:
    paths = (small.folder / "small.yaml", "--out", small.path, "--cache", small.folder / "cache")
    return [*map(str, paths), "--confirm", *more]


def ranked(small: Small) -> Ranking:
    return rank(Run.open(small.path), "pooled_aupr")


def confirming(small: Small) -> tuple[Confirming, Plan, EncodedDataset]:
    """The confirmation of a selection with its plan, and the data."""
    sweep = load_sweep(small.folder / "small.yaml")
    selected = Plan.load(small.path)
    assert selected is not None
    task = Confirming(parse(words(small)), small.path, sweep, ranked(small), selected)
    dataset = open_dataset(
        sweep.config.data, enhancer_bp=80, promoter_bp=80, cache=small.folder / "cache", progress=False
    )
    inner = task.on(task.load(), dataset)
    return task, Plan.of(inner, folds=make_folds(dataset, inner.config.data), data=dataset.hash), dataset


def copied(small: Small, folder: Path) -> Small:
    """A copy of the selection that a test may write to; data and YAML are those of the first."""
    shutil.copytree(small.path, folder / "run")
    return Small(small.folder, str(folder / "run"))


def ended(small: Small, task: Confirming, plan: Plan) -> tuple[str, int]:
    """What is printed where a start of the confirmation has nothing left to run, and the exit status."""
    console = Console(file=io.StringIO(), width=200, record=True)
    (small.path / FOLDER).mkdir(exist_ok=True)
    plan.save(small.path / FOLDER)
    task.begin(task.load(), plan)
    status = task.conclude(
        console, small.path / FOLDER, task.load(), Start(plan, {}, 0, False, 0, 0, [], []), None, ()
    )
    return console.export_text(), status


def record_of(small: Small) -> ChoiceRecord:
    return ChoiceRecord.of(json.loads((small.path / FOLDER / FILE).read_text(encoding="utf-8")))


def test_seeds_are_of_their_own_namespace_and_the_fold_is_new(small: Small) -> None:
    _, plan, _ = confirming(small)
    selected = Plan.load(small.path)
    assert selected is not None
    assert not set(plan.configs) & set(selected.configs)
    streams = [each.config.streams for each in plan.configs.values()]
    assert streams == ["confirm"] * len(candidates(ranked(small)))
    same = {each.config.model_copy(update={"streams": ""}).id for each in plan.configs.values()}
    assert same <= set(selected.configs)
    assert len(plan.seeds) == 10
    (fold,) = plan.known.values()
    (before,) = selected.known.values()
    assert not set(fold.chromosomes) & set(before.chromosomes)
    assert not set(fold.test) & {*before.test, *before.val}


def test_a_dry_run_says_what_a_confirmation_costs(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_confirmed(parse(words(small, "--dry-run")), Console(width=200)) == 0
    text = capsys.readouterr().out
    told = text[text.index("sweep small", 1) :]
    number = len(candidates(ranked(small)))
    assert f"x 1 fold x 10 seeds, 2 epochs each ({10 * number} units)" in told
    assert f"{10 * number} units" in told.split("cost")[1]
    assert "note: no fold of the selection held out" in told
    assert not (small.path / FOLDER).exists()


def test_a_dry_run_of_more_says_its_bounds(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_confirmed(parse(words(small, "--dry-run", "--set", "trial.seeds=3")), Console(width=200)) == 0
    assert (
        "the winner and its ties, 1 to 2 configurations x 1 fold x 10 to 30 fresh seeds, 10 to 60 units; about"
        in capsys.readouterr().out
    )


def test_an_unfinished_confirmation_stays_closed(small: Small, tmp_path: Path) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    text, status = ended(copy, task, plan)
    assert status == 1
    assert "its test split stays closed" in text
    record = record_of(copy)
    assert record.opened is None
    assert {each.confirmed_as for each in record.candidates} == set(plan.configs)


def test_a_complete_one_is_opened_and_logged(small: Small, tmp_path: Path) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    for unit in plan.units():
        settings = plan.configs[unit.config_id].config.model_dump(mode="json")
        write_unit(copy.path / FOLDER, Copy(unit.config_id, settings=settings), unit.seed, unit.fold)
    text, status = ended(copy, task, plan)
    assert status == 0
    opened = record_of(copy).opened
    assert opened is not None
    assert opened.units == 10 * len(plan.configs)
    assert set(opened.configurations) == {each.config for each in candidates(ranked(copy))}
    assert " on " in opened.by
    assert f"was opened once, {opened.date}" in " ".join(text.split())
    assert text.index("Confirmed: ") < text.index("Selection: ")


@pytest.mark.parametrize("other", [False, True])
def test_the_test_split_is_opened_once(
    small: Small, tmp_path: Path, other: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    task.begin(task.load(), plan)
    record = record_of(copy)
    if other:
        record = replace(record, candidates=(replace(record.winner, config="another", label="another"),))
    opening = Opening("2026-01-02", "somebody", "a command", ("a",), 20)
    content = replace(record, opened=opening).content()
    (copy.path / FOLDER / FILE).write_text(json.dumps(content), encoding="utf-8")
    again = parse(words(copy, "--dry-run"))
    if other:
        with pytest.raises(UserError, match="was opened 2026-01-02 for another"):
            run_confirmed(again, Console(width=200))
    else:
        assert run_confirmed(again, Console(width=200)) == 0
        assert "confirmed already, 2026-01-02: nothing to run" in capsys.readouterr().out


@pytest.mark.parametrize("start", ["--dry-run", "--resume"])
def test_nothing_more_runs_for_a_second_confirmation(small: Small, tmp_path: Path, start: str) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    task.begin(task.load(), plan)
    opening = Opening("2026-01-02", "somebody", "a command", ("a",), 20)
    content = replace(record_of(copy), opened=opening).content()
    (copy.path / FOLDER / FILE).write_text(json.dumps(content), encoding="utf-8")
    before = len(Run.open(copy.path).table("units"))
    with pytest.raises(UserError, match="was opened 2026-01-02, and more is to run now"):
        run_confirmed(parse(words(copy, "--set", "trial.seeds=3", start)), Console(width=200))
    assert len(Run.open(copy.path).table("units")) == before


@pytest.mark.parametrize("damage", ["{", None])
def test_a_record_that_cannot_be_read_opens_nothing(small: Small, tmp_path: Path, damage: str | None) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    task.begin(task.load(), plan)
    write_unit(copy.path / FOLDER, Copy(next(iter(plan.configs))), 0, "f")
    file = copy.path / FOLDER / FILE
    file.unlink() if damage is None else file.write_text(damage)
    with pytest.raises(UserError, match="is gone, was changed or cannot be read"):
        run_confirmed(parse(words(copy, "--dry-run")), Console(width=200))


def test_a_configuration_that_the_yaml_lost_is_refused(small: Small, tmp_path: Path) -> None:
    (tmp_path / "edited.yaml").write_text(
        TWO.replace("optimiser.steps_per_epoch: 1", "optimiser.steps_per_epoch: 2")
    )
    selected = Plan.load(small.path)
    assert selected is not None
    sweep = load_sweep(tmp_path / "edited.yaml")
    task = Confirming(parse(words(small)), small.path, sweep, ranked(small), selected)
    with pytest.raises(UserError, match=r"--confirm: .*edited\.yaml does not give .* any more"):
        task.load()


def test_folds_that_leave_no_chromosome_are_refused_first(small: Small, tmp_path: Path) -> None:
    first = "{test: [C1], val: [C2], chromosomes: [chr1, chr2]}"
    folds = f"folds: [{first}, {{test: [C2], val: [C1], chromosomes: [chr3, chr4]}}]"
    yaml = tmp_path / "every.yaml"
    yaml.write_text(TWO.replace("chromosomes: 4}}", f"chromosomes: 4}}, {folds}}}"))
    paths = (yaml, "--out", tmp_path / "run", "--cache", small.folder / "cache", "--confirm")
    with pytest.raises(UserError, match="hold out all 4 chromosomes"):
        run_confirmed(parse([str(path) for path in paths]), Console(width=200))
    assert not (tmp_path / "run" / "units").exists()


def test_every_reader_refuses_a_closed_confirmation(small: Small, tmp_path: Path) -> None:
    copy = copied(small, tmp_path)
    task, plan, _ = confirming(copy)
    for unit in plan.units()[:-1]:
        write_unit(copy.path / FOLDER, Copy(unit.config_id), unit.seed, unit.fold)
    ended(copy, task, plan)
    inner, config, console = str(copy.path / FOLDER), plan.units()[0].config_id, Console(file=io.StringIO())
    closed = "its test split is opened once, when it is"
    with pytest.raises(UserError, match=closed):
        load(inner).predictions("test")
    for command in ("", "verify", "report", "table", "claims", "effects", "export"):
        more = ["--to", "csv"] if command == "export" else []
        with pytest.raises(UserError, match=closed):
            analysis([*filter(None, [command]), inner, *more])
    for words in (["show", inner], ["trial", inner, config], ["diff", str(copy.path), inner]):
        with pytest.raises(UserError, match=closed):
            runs(words, console)
    with pytest.raises(UserError, match=closed):
        predict([inner, config, "--pairs", str(tmp_path), "--out", str(tmp_path / "out.tsv")], console)
    (copy.path / FOLDER / FILE).unlink()
    with pytest.raises(UserError, match="is gone or cannot be read, so that nobody knows"):
        load(inner)
