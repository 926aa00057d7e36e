"""Recorded examples: what is recorded is computed today, whatever is changed is said, and what is sound is asked once."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.sequence.conv_pyramid as pyramid
from harness.audit import __main__ as command
from harness.audit import example_check as asked
from harness.audit import example_command as examples_command
from harness.audit import examples as recorded
from harness.audit.example import ExamplePlace
from harness.audit.example_check import strange_examples
from harness.audit.example_digest import difference, digest
from harness.audit.examples import CONFIGURATION, WHOLE, asked_for, examples, of_name, varied
from harness.config.space.compose import compose, load_preset
from harness.mechanisms.catalogue import catalogue, configured
from harness.trial import evaluation
from models.environment.graph import RandomWalkGraph
from models.losses.decoupling import Pearson
from models.losses.ranking import PairwiseRanking

MINIMAL = compose(load_preset("minimal"), {})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> ExamplePlace:
    return ExamplePlace(tmp_path_factory.mktemp("examples"))


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", [*examples(), *varied()])
def test_what_is_recorded_is_computed(name: str, place: ExamplePlace) -> None:
    assert (
        difference(place.computed(of_name(name)), recorded.recorded()[name].values, whole=name == WHOLE.name)
        == ""
    )


def test_nothing_else_is_recorded() -> None:
    assert [*recorded.recorded()] == [*examples(every=True), *varied(every=True)] == [*examples(), *varied()]


def test_what_is_not_recorded_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "recorded", dict)
    assert asked_for(configured(MINIMAL.model_dump())) == []


def test_every_mechanism_is_in_an_example_of_its_configurations() -> None:
    there = {name: entry.keys for name, entry in examples().items()}
    for row in catalogue():
        (name, *_) = asked_for([row])
        assert row.key in there[name]
    for preset in ("minimal", "rp24", "complete"):
        rows = configured(compose(load_preset(preset), {"energy.form": "blocking"}).model_dump())
        names = asked_for(rows)
        assert names[-1] == WHOLE.name
        keys = frozenset[str]().union(*(there.get(name, frozenset()) for name in names))
        assert {row.key for row in rows} <= keys
        assert "preset rp24 of long sequences" in names
        assert len(names) <= 7


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), at=st.integers(0, 29))
def test_a_digest_tells_values_apart(values: list[float], at: int) -> None:
    made = {"x": digest(values)}
    assert difference(made, {"x": digest([value * (1 + 1e-8) for value in values])}) == ""
    other = list(values)
    other[at % len(values)] += 1 + 0.1 * float(np.linalg.norm(values))
    assert difference({"x": digest(other)}, made).startswith("x is another one")
    assert difference({}, made) == "x is not there any more"
    assert difference(made, {}) == "x is new"


def test_values_that_change_places_and_nan_are_told() -> None:
    wanted = {"x": digest([1.0, 2.0, 3.0])}
    assert difference({"x": digest([3.0, 2.0, 1.0])}, wanted) != ""
    assert difference({"x": digest([1.0, float("nan"), 3.0])}, wanted) != ""
    assert digest([]) == (0.0, 0.0, 0.0)


def test_another_equation_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    spread = RandomWalkGraph.spread

    def exchanged(self: Any, a: Any, x: Any) -> Any:
        self.restart = 1 - self.restart
        try:
            return spread(self, a, x)
        finally:
            self.restart = 1 - self.restart

    config = compose(load_preset("rp13"), {})
    assert strange_examples(config) == []
    monkeypatch.setattr(RandomWalkGraph, "spread", exchanged)
    (finding,) = strange_examples(config, anew=True)
    assert (finding.id, finding.mechanism, finding.verdict, finding.check) == (
        "-",
        "examples",
        "broken",
        "example",
    )
    assert finding.reason.startswith("in the example of preset rp13, ")
    assert "python -m harness.audit record" in finding.reason


def test_what_an_end_leaves_in_the_store_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "score_nulls", lambda trainer, predictor, scores, **named: scores)
    (finding,) = strange_examples(MINIMAL, anew=True)
    assert "in the example of a whole trial, auc_null of table cells" in finding.reason


def test_an_error_in_an_example_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, *_: Any) -> Any:
        raise IndexError("index 3 is out of bounds")

    monkeypatch.setattr(Pearson, "forward", broken)
    config = compose(MINIMAL.canonical(), {"decouple.pearson": 0.5})
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        strange_examples(config, anew=True)


def test_a_memory_that_cannot_be_written_changes_nothing(
    own_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "asked_for", lambda rows: ["preset minimal"])
    (own_memory / f"prism-{os.getuid()}").write_text("no folder")
    assert strange_examples(MINIMAL) == []
    assert strange_examples(MINIMAL) == []


@pytest.mark.parametrize("content", ["null", "5", "[1, 2]", '{"a whole trial": 2}', "[", ""])
def test_a_damaged_memory_is_none(content: str, own_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "asked_for", lambda rows: ["preset minimal"])
    assert strange_examples(MINIMAL) == []
    (file,) = own_memory.glob("prism-*/examples-*.json")
    sound = file.read_text()
    file.write_text(content)
    assert strange_examples(MINIMAL) == []
    assert file.read_text() == sound


@pytest.fixture
def another_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "examples.json"
    file.write_bytes(recorded.FILE.read_bytes())
    for module in (recorded, asked, examples_command):
        monkeypatch.setattr(module, "FILE", file)
    for cached in (recorded.recorded, recorded.examples):
        cached.cache_clear()
    yield file
    for cached in (recorded.recorded, recorded.examples):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is not there"),
        ("", "is no record of examples: Expecting value"),
        ("[]", "expected values per example"),
        ("{}", "expected values per example"),
        ('{"a": {}}', "expected a configuration and values of 'a'"),
        ('{"a": {"u": [1, 2, 3]}}', "expected a configuration and values of 'a'"),
        ('{"a": {"configuration": "1f"}}', "expected a configuration and values of 'a'"),
        ('{"a": {"configuration": "1f", "u": [1, 2]}}', "'u' of 'a' is not three numbers"),
        ('{"a": {"configuration": "1f", "u": [1e999, 0, 0]}}', "is not three numbers"),
        ('{"a": {"configuration": "1f", "u": [NaN, 0, 0]}}', "is not three numbers"),
        ('{"a": {"configuration": "1f", "u": ["1", 0, 0]}}', "is not three numbers"),
    ],
)
def test_a_damaged_record_is_named(content: str | None, why: str, another_record: Path) -> None:
    if content is None:
        another_record.unlink()
    else:
        another_record.write_text(content)
    (finding,) = strange_examples(MINIMAL)
    assert finding.verdict == "broken"
    assert finding.reason.startswith("harness/audit/examples.json ")
    assert why in finding.reason
    assert finding.reason.endswith("; python -m harness.audit record makes it anew")


def test_what_no_example_has_is_said(another_record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "asked_for", lambda rows: [])  # of what is there nothing is computed
    stored = json.loads(another_record.read_text())
    (name,) = (name for name in stored if name.endswith("blocking"))
    del stored[name]
    another_record.write_text(json.dumps(stored))
    assert strange_examples(MINIMAL) == []
    (finding,) = strange_examples(compose(load_preset("minimal"), {"energy.form": "blocking"}))
    assert (finding.verdict, finding.reason) == (
        "idle",
        "no recorded example has blocking; python -m harness.audit record makes one",
    )
    del stored[WHOLE.name]
    another_record.write_text(json.dumps(stored))
    for cached in (recorded.recorded, recorded.examples):
        cached.cache_clear()
    (finding,) = strange_examples(MINIMAL)
    assert finding.reason.startswith("no recorded example has a whole trial; ")


def test_a_preset_that_somebody_edits_is_no_other_code(another_record: Path) -> None:
    rp04 = compose(load_preset("rp04"), {})
    stored = json.loads(another_record.read_text())
    stored["preset rp04"][CONFIGURATION] = "of an earlier preset"
    stored["preset rp04"]["u of step 1"] = [7.0, 7.0, 7.0]
    another_record.write_text(json.dumps(stored))
    names = asked_for(configured(rp04.model_dump()))
    assert not any("rp04" in name for name in names)
    assert any("rp" in name for name in names), "other examples have what it has"


def test_a_branch_that_a_default_leaves_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates of a ranking that are drawn, a pyramid in tiles, a competition that pulls and pushes."""

    def differs(name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return difference(
                ExamplePlace(Path(folder)).computed(of_name(name)), recorded.recorded()[name].values
            )

    sample, tiles = PairwiseRanking._sample, pyramid.TILE
    with monkeypatch.context() as patch:
        patch.setattr(PairwiseRanking, "_sample", lambda *given: tuple(p[..., :1] for p in sample(*given)))
        assert differs("preset rp25") == ""
        assert differs("preset rp25 at other values") != ""
    with monkeypatch.context() as patch:
        patch.setattr(pyramid, "TILE", tiles - 30)
        assert differs("preset rp24 of long sequences") == "", "tiles of another size are the same pyramid"
    made = recorded.recorded()
    for name, state in (("preset rp13", "acted"), ("preset rp12", "pulled")):
        key = f"{state} of competition of states after the steps"
        assert made[name].values[key][0] == 0.0
        assert made[f"{name} at other values"].values[key][0] > 0.1


def test_what_is_sound_is_asked_once(own_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert strange_examples(MINIMAL) == []
    (file,) = own_memory.glob("prism-*/examples-*.json")
    assert json.loads(file.read_text()) == sorted(asked_for(configured(MINIMAL.model_dump())))

    class Asked(Exception):
        pass

    def refuse(folder: Path) -> ExamplePlace:
        raise Asked

    monkeypatch.setattr(asked, "ExamplePlace", refuse)
    assert strange_examples(MINIMAL) == []
    with pytest.raises(Asked):
        strange_examples(compose(load_preset("rp24"), {}))
    with pytest.raises(Asked):
        strange_examples(MINIMAL, anew=True)
    file.write_text("[1, 2")  # cut short
    with pytest.raises(Asked):
        strange_examples(MINIMAL)


def test_what_is_broken_is_not_remembered(own_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "difference", lambda made, wanted, whole: "u is another one")
    assert len(strange_examples(MINIMAL)) == 1
    assert list(own_memory.glob("prism-*/*")) == []


def test_record_says_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {name: examples()[name] for name in ("preset minimal", "preset rp04")}
    file = tmp_path / "recorded.json"
    stored = recorded.recorded()
    before = {"preset minimal": stored["preset minimal"], "mechanism gone": stored["preset rp04"]}
    file.write_text(recorded.written(before))

    def run(*arguments: str) -> tuple[int, str]:
        recorded.recorded.cache_clear()
        monkeypatch.setattr("sys.argv", ["harness.audit", "record", *arguments])
        return command.main(), capsys.readouterr().out

    def own() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(examples_command, "examples", lambda *, every: few)
            patch.setattr(examples_command, "varied", lambda *, every: {})
            patch.setattr(recorded, "FILE", file)
            patch.setattr(examples_command, "FILE", file)
            yield
        recorded.recorded.cache_clear()

    for _ in own():
        status, said = run("--check")
        assert status == 1
        assert "preset rp04: it is new" in said
        assert "mechanism gone: it is not there any more" in said
        assert "2 examples, 2 of them other ones than were recorded" in said
        assert json.loads(file.read_text()).keys() == before.keys()
        assert run()[0] == 0
        assert run("--check")[0] == 0
        recorded.recorded.cache_clear()
        assert recorded.recorded() == {name: stored[name] for name in few}
