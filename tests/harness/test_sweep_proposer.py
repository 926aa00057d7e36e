"""What a sweep runs next: unfinished first, every configuration once, and an end when the space has no more."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space import composer
from harness.config.space.compose import compose
from harness.config.space.distributions import IntBlock
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan, Trial, Unit, by_trial
from harness.sweep.run.verdict import Verdict
from harness.sweep.search.curves import Curves
from harness.sweep.search.proposer import Proposer
from harness.sweep.search.study import Draw, Study
from harness.sweep.show.board import Board
from tests.narrow import present

YAML = """
name: small
base: minimal
data: {{synthetic: {{form: gated}}}}
trial: {{epochs: 3, seeds: 2}}
space:
  {space}
sampler: {{kind: random, seed: 0}}
trials: {trials}
"""
FOUR = "episode.query: {choice: [8, 16, 32, 64]}"
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))


@dataclass
class Make:
    """Makes proposers of small sweeps in a folder; what they give up and what they say has ended is kept."""

    folder: Path
    folds: tuple[Fold, ...] = (FOLD,)
    given_up: list[Unit] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __call__(self, space: str = FOUR, trials: int = 4, ran: Sequence[int] = ()) -> Proposer:
        file = self.folder / "small.yaml"
        file.write_text(YAML.format(space=space, trials=trials))
        sweep: Sweep = load_sweep(file)
        plan = Plan.of(sweep, folds=self.folds, data="d" * 64)
        for query in ran:
            changes = {"episode.query": query}
            plan = plan.add(sweep.resolved(changes, gpu=False), changes)
        plan.save(self.folder / "run")
        study = Study(
            self.folder / "study.log",
            name="small",
            direction="maximize",
            sampler=sweep.config.sampler,
            space=sweep.space,
        )
        pending = by_trial(unit for unit in plan.units() if unit.seed == 1)
        for config, planned in plan.configs.items():
            study.accept(study.draw_of(planned.changes), config)
        return Proposer(
            sweep,
            plan,
            study,
            Board(total=trials, larger_is_better=True, folds={fold.id: fold.name for fold in self.folds}),
            run=self.folder / "run",
            pending=pending,
            reached={trial: {Unit(*trial, 0).name: ("done", 0.6)} for trial in pending},
            curves=Curves({}),
            new=trials - len(plan.configs),
            gpu=False,
            view=lambda config: self.folder / f"view-{config.model.enhancer_bp}",
            give_up=self.given_up.extend,
            ended=self.ended.extend,
        )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


def _drain(proposer: Proposer) -> list[dict[str, Any]]:
    """Everything it proposes, each ended at once as done."""
    found: list[dict[str, Any]] = []
    for number in range(100):
        config: object = proposer.suggest(f"t{number}")
        if config == Searcher.FINISHED:
            return found
        assert isinstance(config, dict)
        found.append(config)
        result = {"status": "done", "objective": 0.5, "epoch": 3, "ended": [*config["finished"]]}
        proposer.on_trial_result(f"t{number}", result)
        proposer.on_trial_complete(f"t{number}", result)
    raise AssertionError("it never ends")


def test_every_configuration_of_a_random_sampler_runs_once(make: Make) -> None:
    proposer = make()
    ran = _drain(proposer)
    assert sorted(one["changes"]["episode.query"] for one in ran) == [8, 16, 32, 64]
    assert len({one["configuration"] for one in ran}) == 4
    assert not proposer.pending
    assert proposer.new == 0
    assert not proposer.exhausted


def test_draws_that_resolve_to_the_same_configuration_run_once(make: Make) -> None:
    """1 and 1.0 are one learning rate."""
    proposer = make("optimiser.lr: {choice: [1, 1.0, 0.5]}", trials=2)
    assert sorted(one["changes"]["optimiser.lr"] for one in _drain(proposer)) == [0.5, 1]


def test_an_exhausted_space_ends_cleanly(make: Make) -> None:
    proposer = make(trials=9)
    assert len(_drain(proposer)) == 4
    assert proposer.exhausted
    assert proposer.new == 0
    assert not proposer.pending


def test_finite_space_runs_whole_whatever_the_sampler_draws(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sweep.search.proposer.ATTEMPTS", 0)
    assert [one["changes"]["episode.query"] for one in _drain(make(trials=3))] == [8, 16, 32]


def test_unfinished_units_of_the_plan_come_first(make: Make) -> None:
    proposer = make(ran=[32, 64], trials=3)
    ran = _drain(proposer)
    assert [one["changes"]["episode.query"] for one in ran[:2]] == [32, 64]
    assert [one["seeds"] for one in ran] == [[1], [1], [0, 1]]
    assert {one["fold"] for one in ran} == {FOLD.id}
    earlier = [{f"{one['configuration']}-{FOLD.id}-0": ("done", 0.6)} for one in ran[:2]]
    assert [one["finished"] for one in ran] == [*earlier, {}], "what the finished unit reached goes along"


def test_configuration_is_planned_on_disk_before_it_starts(make: Make, tmp_path: Path) -> None:
    proposer = make()
    config = proposer.suggest("t0")
    plan = Plan.load(tmp_path / "run")
    assert config is not None
    assert plan is not None
    assert list(plan.configs) == [config["configuration"]]
    assert plan.configs[config["configuration"]].changes == config["changes"]


def test_a_verdict_goes_when_its_configuration_has_ended(make: Make, tmp_path: Path) -> None:
    proposer = make(trials=1)
    given = proposer.suggest("t0")
    assert given is not None
    config = given["configuration"]
    assert proposer.names(config) == [f"{config}-{FOLD.id}-0", f"{config}-{FOLD.id}-1"]
    Verdict("pruned", "o", "{}", tuple(proposer.names(config))).write(tmp_path / "run", config)
    first, _ = proposer.names(config)
    result = {"status": "failed", "objective": 0.5, "epoch": 3, "ended": [first]}
    proposer.on_trial_complete("t0", result)
    assert Verdict.read(tmp_path / "run", config) is None
    assert make.ended == [first], "what failed may be written again"


def test_worker_that_died_too_often_fails_its_configuration(make: Make) -> None:
    proposer = make(trials=1)
    config = proposer.suggest("t0")
    assert config is not None
    proposer.on_trial_complete("t0", error=True)
    name = config["configuration"]
    assert make.given_up == [Unit(name, FOLD.id, 0), Unit(name, FOLD.id, 1)]
    assert not proposer.pending, "the sweep is finished; --resume tries failed units again"
    assert proposer.study.study.trials[0].state.name == "FAIL"


def test_a_configuration_cut_off_with_the_sweep_stays_unfinished(make: Make) -> None:
    proposer = make(trials=1)
    config = proposer.suggest("t0")
    assert config is not None
    result = {"status": "running", "objective": 0.5, "epoch": 1}
    proposer.on_trial_result("t0", result)
    proposer.on_trial_complete("t0", result)
    assert list(proposer.pending) == [Trial(config["configuration"], FOLD.id)]
    assert proposer.study.study.trials[0].intermediate_values == {1: 0.5}


def test_nearly_full_space_costs_a_bounded_number_of_draws(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 80 configurations is composed once, and the sampler asked a bounded number of times."""
    counts: Counter[str] = Counter()
    ask = Study.ask

    def counted_compose(base: Mapping[str, Any], changes: Mapping[str, Any]) -> ConfigurationBlock:
        counts["composed"] += 1
        return compose(base, changes)

    def counted_ask(study: Study) -> Draw:
        counts["asked"] += 1
        return ask(study)

    space = "episode.query: {int: [2, 41]}\n  energy.form: {choice: [linear, interaction]}"
    proposer = make(space, trials=80)
    monkeypatch.setattr(composer, "compose", counted_compose)
    monkeypatch.setattr(Study, "ask", counted_ask)
    seen = {present(proposer.suggest(f"t{number}"))["configuration"] for number in range(80)}
    assert len(seen) == 80
    assert 0 < counts["composed"] <= 80
    assert counts["asked"] <= 4 * 80


def test_where_a_sampler_repeats_itself_its_neighbours_come_next(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposer = make("episode.query: {int: [2, 90]}\n  energy.form: {choice: [linear, interaction]}", trials=9)
    again = {"episode.query": 50, "energy.form": "linear"}
    monkeypatch.setattr(Study, "ask", lambda study: study.draw_of(again))
    found = [one["changes"] for one in _drain(proposer)]
    assert found[0] == again
    assert len(found) == 9
    for changes in found[1:]:
        assert (changes["episode.query"] == 50) or (changes["energy.form"] == "linear")


def test_a_whole_range_without_end_is_no_list() -> None:
    entry = IntBlock(int=[0, 10**12])
    assert entry.accepts(10**11)
    assert len(entry.values()) == 10**12 + 1
