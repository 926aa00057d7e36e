"""What a sweep runs next: unfinished first, every configuration once, and an end when the space has no more."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from analysis.unit_log import log_file
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space import composer
from harness.config.space.compose import compose
from harness.config.space.distributions import IntBlock
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan, Unit, by_trial
from harness.design.trial import Trial
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
    phase1: Callable[[ConfigurationBlock], str | None] = lambda config: None
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
            objective=sweep.config.objective,
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
            phase1=self.phase1,
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


TWO = (FOLD, Fold("b", ("b",), ("a",), ("chr1",)))


def _ends(proposer: Proposer, trial_id: str, fold: Fold, objective: float, status: str = "done") -> None:
    for epoch in (1, 2):
        proposer.on_trial_result(trial_id, {"epoch": epoch, "objective": objective * epoch / 2})
    proposer.on_trial_complete(trial_id, {"status": status, "objective": objective, "ended": []})


def test_a_configuration_runs_fold_by_fold_and_has_one_value(make: Make) -> None:
    make.folds = TWO
    proposer = make(trials=2)
    first, second, other = (present(proposer.suggest(f"t{number}")) for number in range(3))
    assert [one["fold"] for one in (first, second, other)] == [TWO[0].id, TWO[1].id, TWO[0].id]
    assert first["configuration"] == second["configuration"] != other["configuration"]
    assert (first["seeds"], second["seeds"]) == ([0, 1], [0, 1])
    _ends(proposer, "t0", TWO[0], 0.4)
    (trial, _) = proposer.study.study.trials
    assert (trial.state.name, trial.intermediate_values) == ("RUNNING", {})
    _ends(proposer, "t1", TWO[1], 0.8)
    (trial, _) = proposer.study.study.trials
    assert trial.state.name == "COMPLETE"
    assert trial.value == pytest.approx(0.6)
    assert trial.intermediate_values == pytest.approx({1: 0.3, 2: 0.6})
    assert {waiting.config_id for waiting in proposer.pending} == {other["configuration"]}


def test_names_of_trials_say_configuration_and_fold(make: Make) -> None:
    make.folds = TWO
    proposer = make("energy.form: {choice: [linear, gated]}", trials=2)
    ran = [present(proposer.suggest(f"t{number}")) for number in range(4)]
    assert len({one["name"] for one in ran}) == 4
    later = ran[3]
    form = later["changes"]["energy.form"]
    assert later["name"] == f"b: energy={form} ({later['configuration']})"


def test_pruning_on_one_fold_lets_the_others_not_begin(make: Make, tmp_path: Path) -> None:
    make.folds = TWO
    proposer = make(trials=1)
    config = present(proposer.suggest("t0"))["configuration"]
    assert len(proposer.names(config)) == 4, "a verdict binds the units of all folds"
    withdrawn = proposer.withdraw(config, "pruned after epoch 1: worse")
    assert withdrawn == [Unit(config, TWO[1].id, 0), Unit(config, TWO[1].id, 1)]
    assert proposer.board.rows[config].trials[TWO[1].id].status == "pruned"
    proposer.on_trial_complete("t0", {"status": "pruned", "objective": 0.4, "ended": []})
    assert not proposer.pending
    after: object = proposer.suggest("t1")
    assert after == Searcher.FINISHED
    assert proposer.study.study.trials[0].state.name == "PRUNED"


def test_a_fold_that_an_earlier_start_began_is_not_withdrawn(make: Make, tmp_path: Path) -> None:
    make.folds = TWO
    proposer = make(trials=1)
    config = present(proposer.suggest("t0"))["configuration"]
    log = log_file(tmp_path / "run", Unit(config, TWO[1].id, 1).name)
    log.parent.mkdir(parents=True)
    log.touch()
    assert proposer.withdraw(config, "worse") == [], "a worker evaluates what was trained"
    assert present(proposer.suggest("t1"))["fold"] == TWO[1].id


def test_folds_of_an_earlier_start_count_towards_the_value(make: Make) -> None:
    make.folds = TWO
    proposer = make(trials=1, ran=[8])
    (config,) = proposer.plan.configs
    whole = Trial(config, TWO[0].id)
    del proposer.pending[whole]
    proposer.waiting.remove(whole)
    proposer = Proposer(
        proposer.sweep,
        proposer.plan,
        proposer.study,
        proposer.board,
        run=proposer.run,
        pending=proposer.pending,
        reached={
            whole: {f"{config}-{whole.fold}-{seed}": ("done", value) for seed, value in ((0, 0.1), (1, 0.3))}
        },
        curves=Curves({whole: [(1, 0.1), (2, 0.2)]}),
        new=0,
        gpu=False,
        view=proposer.view,
        phase1=proposer.phase1,
        give_up=proposer.give_up,
        ended=proposer.ended,
    )
    assert present(proposer.suggest("t0"))["fold"] == TWO[1].id
    assert proposer.board.rows[config].objective == pytest.approx(0.2)
    _ends(proposer, "t0", TWO[1], 0.6)
    assert proposer.study.study.trials[0].value == pytest.approx(0.4)
    assert proposer.study.study.trials[0].intermediate_values == pytest.approx({1: 0.2, 2: 0.4})
