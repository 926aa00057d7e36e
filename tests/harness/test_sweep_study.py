"""The study survives a kill: what was learnt is on disk, and is not counted twice."""

import math
from pathlib import Path

from optuna.storages.journal import JournalFileBackend

from harness.config.blocks.sweep import SamplerBlock
from harness.config.space.distributions import ChoiceBlock
from harness.config.space.space import Space
from harness.sweep.search.journal import Journal
from harness.sweep.search.study import Study

SAMPLER = SamplerBlock(kind="random", seed=3)


SPACE = Space({"episode.query": ChoiceBlock(choice=[8, 16, 32, 64])})


def _open(folder: Path, space: Space = SPACE) -> Study:
    return Study(
        folder / "study.log", name="s", objective="val_unseen/macro/aupr", sampler=SAMPLER, space=space
    )


def _curves(study: Study) -> dict[str, dict[int, float]]:
    return {trial.user_attrs["config"]: trial.intermediate_values for trial in study.study.trials}


def test_reopened_study_knows_configurations_and_their_curves(tmp_path: Path) -> None:
    study = _open(tmp_path)
    for config in ("a", "b"):
        study.accept(study.ask(), config)
    study.report("a", 1, 0.6)
    study.report("a", 2, 0.7)
    study.report("b", 1, math.nan)
    study.tell("a", "done", 0.7)
    again = _open(tmp_path)
    assert again.numbers == study.numbers
    assert _curves(again) == {"a": {1: 0.6, 2: 0.7}, "b": {}}
    again.report("b", 1, 0.5)
    again.tell("b", "done", 0.5)
    assert {t.user_attrs["config"]: t.value for t in _open(tmp_path).study.trials} == {"a": 0.7, "b": 0.5}


def test_half_a_line_and_a_left_lock_do_not_stop_the_next_driver(tmp_path: Path) -> None:
    study = _open(tmp_path)
    study.accept(study.ask(), "a")
    file = tmp_path / "study.log"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"op_code": 6, "wor')
    (tmp_path / "study.log.lock").symlink_to(file)
    again = _open(tmp_path)
    assert list(again.numbers) == ["a"]
    again.report("a", 1, 0.5)
    assert _curves(_open(tmp_path)) == {"a": {1: 0.5}}


def test_resumed_sampler_does_not_repeat_its_first_proposals(tmp_path: Path) -> None:
    wide = Space({"episode.query": ChoiceBlock(choice=list(range(2, 1000)))})
    first = _open(tmp_path, wide)
    early = [first.ask() for _ in range(4)]
    for number, draw in enumerate(early):
        first.accept(draw, f"c{number}")
    later = [_open(tmp_path, wide).ask().changes for _ in range(2)]
    assert not [changes for changes in later if changes in [draw.changes for draw in early]]


def test_ended_configurations_count_as_their_status_says(tmp_path: Path) -> None:
    study = _open(tmp_path)
    for status in ("done", "stopped", "pruned", "diverged", "failed"):
        study.accept(study.ask(), status)
        study.tell(status, status, 0.5 if status != "diverged" else math.nan)
    states = {t.user_attrs["config"]: t.state.name for t in study.study.trials}
    assert states == {
        "done": "COMPLETE",
        "stopped": "COMPLETE",
        "pruned": "PRUNED",
        "diverged": "PRUNED",
        "failed": "FAIL",
    }


def test_changes_are_told_where_they_are_not_what_was_drawn(tmp_path: Path) -> None:
    named = ChoiceBlock(choice={"low": {"optimiser.lr": 0.001}, "high": {"optimiser.lr": 0.1}})
    study = _open(tmp_path, Space({"rate": named, "episode.query": ChoiceBlock(choice=[8])}))
    study.accept(study.draw_of({"optimiser.lr": 0.1, "episode.query": 8}), "a")
    plain = _open(tmp_path / "plain")
    plain.accept(plain.ask(), "b")
    (told,), (drawn,) = study.study.trials, plain.study.trials
    assert told.params == {"rate": "high", "episode.query": 8}
    assert told.user_attrs == {"config": "a", "changes": {"optimiser.lr": 0.1}}
    assert drawn.user_attrs == {"config": "b"}


def test_a_journal_is_read_on_beside_another_writer(tmp_path: Path) -> None:
    study, file = _open(tmp_path), tmp_path / "study.log"
    study.accept(study.ask(), "a")
    Journal(str(file)).append_logs(
        [{"op_code": 2, "worker_id": "w", "study_id": 0, "user_attr": {"by": "hand"}}]
    )
    study.report("a", 1, 0.5)
    assert study.study.user_attrs == {"by": "hand"}
    assert _curves(study) == {"a": {1: 0.5}}
    reader, plain = Journal(str(file)), list(JournalFileBackend(str(file)).read_logs(0))
    assert [list(reader.read_logs(start)) for start in (0, 4, len(plain))] == [plain, plain[4:], []]
    with file.open("ab") as stream:
        stream.write(b'{"half')
    assert list(reader.read_logs(len(plain))) == []
