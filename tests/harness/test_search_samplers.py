"""What a search begins with, its further samplers, and a staged design at work in the proposer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from analysis.errors import UserError
from harness.config.blocks.sweep import SamplerBlock
from harness.config.space.distributions import ChoiceBlock, UniformBlock
from harness.config.space.space import Space
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.sweep.search.curves import Curves
from harness.sweep.search.past import Past
from harness.sweep.search.proposer import Proposer
from harness.sweep.search.study import Study, study_file
from harness.sweep.show.board import Board

FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))
SPACE = Space(
    {"optimiser.lr": UniformBlock(uniform=[0.1, 0.9]), "energy.form": ChoiceBlock(choice=["linear", "gated"])}
)
NSGA2 = SamplerBlock(kind="nsga2", population=4, beside=["val_unseen/pooled/nll"])


def study(folder: Path, sampler: SamplerBlock, space: Space = SPACE, past: list[Past] | None = None) -> Study:
    return Study(
        folder / "study.log",
        name="s",
        objective="val_unseen/macro/aupr",
        sampler=sampler,
        space=space,
        past=past,
    )


def drawn(made: Study, count: int, first: int = 0) -> list[float]:
    """Learning rates of so many proposals, each of which ended well."""
    values = []
    for number in range(first, first + count):
        draw = made.ask()
        made.accept(draw, f"c{number}")
        made.tell(f"c{number}", "done", 0.5)
        values.append(draw.changes["optimiser.lr"])
    return values


def test_qmc_spreads_numbers_evenly_across_reopening(tmp_path: Path) -> None:
    sampler = SamplerBlock(kind="qmc", seed=3)
    early = drawn(study(tmp_path, sampler), 17)
    later = drawn(study(tmp_path, sampler), 16, first=17)
    sequence = [*early[1:], *later]  # the first draw shows what there is to draw, and is random
    for eighth in range(8):
        low, high = 0.1 + 0.1 * eighth, 0.2 + 0.1 * eighth
        assert sum(low <= value < high for value in sequence) == 4
    assert len(set(sequence)) == 32


def test_several_objectives_are_told_with_their_directions(tmp_path: Path) -> None:
    made = study(tmp_path, NSGA2)
    assert [direction.name for direction in made.study.directions] == ["MAXIMIZE", "MINIMIZE"]
    for config, values in {"a": (0.7, 0.5), "b": (0.6, 0.4), "c": (0.6, 0.6)}.items():
        made.accept(made.ask(), config)
        made.report(config, 1, values[0])
        made.tell(config, "done", values[0], values[1:])
    assert {trial.user_attrs["config"] for trial in made.study.best_trials} == {"a", "b"}
    again = study(tmp_path, NSGA2)
    assert [trial.values for trial in again.study.trials] == [[0.7, 0.5], [0.6, 0.4], [0.6, 0.6]]


def test_a_study_of_several_objectives_is_made_again(tmp_path: Path) -> None:
    changes = {"optimiser.lr": 0.5, "energy.form": "gated"}
    known = [
        Past("a", changes, changes, "done", 0.7, [(1, 0.6)], (0.5,)),
        Past("b", {**changes, "optimiser.lr": 0.2}, changes, "pruned", 0.4, [(1, 0.4)], (0.9,)),
    ]
    made = study(tmp_path, NSGA2, past=known)
    assert [(trial.state.name, trial.values) for trial in made.study.trials] == [
        ("COMPLETE", [0.7, 0.5]),
        ("PRUNED", None),
    ]
    begun = made.study.trials[0].datetime_start
    again = study(tmp_path, NSGA2, past=known)
    assert again.study.trials[0].datetime_start == begun, "what it says already is not made again"


def test_other_objectives_have_a_study_of_their_own(tmp_path: Path) -> None:
    one, two = (study_file(tmp_path, SPACE, "val_unseen/pooled/aupr", more) for more in ((), NSGA2.beside))
    assert one != two


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"kind": "nsga2"}, "nsga2 weighs several objectives: name them in sampler.beside"),
        (
            {"kind": "random", "beside": ["val_unseen/pooled/nll"]},
            "is read by sampler.kind: nsga2, and it is random",
        ),
        ({"kind": "qmc", "startup": 3}, "startup is read by sampler.kind: tpe, and it is qmc"),
        ({"kind": "nsga2", "beside": ["val_unseen/macro/aupr"]}, "which is the objective already"),
        ({"kind": "nsga2", "beside": ["test/pooled/nll"]}, "test/pooled/nll"),
        ({"kind": "nsga3"}, "expected one of tpe, random, qmc, nsga2"),
    ],
)
def test_a_sampler_that_there_is_not_gets_one_sentence(
    keys: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        sweep(tmp_path, sampler=keys)


def test_one_objective_ends_no_configuration_of_several(tmp_path: Path) -> None:
    sampler = {"kind": "nsga2", "beside": ["val_unseen/pooled/nll"]}
    assert sweep(tmp_path, sampler=sampler).config.scheduler.kind == "none"
    with pytest.raises(UserError, match="ends configurations by one objective"):
        sweep(tmp_path, sampler=sampler, scheduler={"kind": "asha"})


KNOWN: dict[str, Any] = {
    "method": {"choice": {"none": {}, "pearson": {"decouple.pearson": 0.5}}},
    "energy.form": {"choice": ["linear", "gated"]},
    "energy.w": {"uniform": [0.5, 2.0], "when": {"energy.form": "gated"}},
}


def sweep(folder: Path, **keys: Any) -> Sweep:
    file = folder / "a.yaml"
    content = {"name": "a", "base": "minimal", "data": {"synthetic": {}}, "space": KNOWN, "trials": 3}
    file.write_text(json.dumps({**content, **keys}))
    return load_sweep(file)


def proposer(folder: Path, made: Sweep) -> Proposer:
    plan = Plan.of(made, folds=[FOLD], data="d" * 64)
    plan.save(folder / "run")
    file = study_file(folder / "run", made.space, made.config.objective)
    held = Study(
        file, name="a", objective=made.config.objective, sampler=made.config.sampler, space=made.space
    )
    return Proposer(
        made,
        plan,
        held,
        Board(total=3, larger_is_better=True, folds={FOLD.id: FOLD.name}),
        run=folder / "run",
        pending={},
        reached={},
        curves=Curves({}),
        new=made.trials,
        gpu=False,
        view=lambda config: folder,
        phase1=lambda config: None,
        give_up=lambda units: None,
        ended=lambda names: None,
    )


def end(held: Proposer, trial: str, config: Mapping[str, Any]) -> None:
    result = {
        "configuration": config["configuration"],
        "status": "done",
        "objective": 0.5,
        "epoch": 1,
        "ended": [],
    }
    held.on_trial_result(trial, result)
    held.on_trial_complete(trial, result)


def test_known_configurations_run_first(tmp_path: Path) -> None:
    first = {"energy.form": "gated", "energy.w": 1.5, "method": "pearson"}
    held = proposer(tmp_path, sweep(tmp_path, enqueue=[first, {"energy.form": "linear"}]))
    changes = []
    for number in range(3):
        config = held.suggest(f"t{number}")
        assert config is not None
        changes.append(config["changes"])
        end(held, f"t{number}", config)
    assert changes[0] == {"decouple.pearson": 0.5, "energy.form": "gated", "energy.w": 1.5}
    assert changes[1] == {"energy.form": "linear"}, "what is not named is the base's"
    assert changes[2] not in changes[:2], "one that is known already is not run again"
    assert len(held.study.numbers) == 3


@pytest.mark.parametrize(
    "again",
    [{"energy.form": "gated", "energy.w": 1.5}, {"energy.w": 1.5, "energy.form": "gated", "method": "none"}],
    ids=["word for word", "with what the base has"],
)
def test_a_configuration_that_is_enqueued_twice_is_refused(again: dict[str, Any], tmp_path: Path) -> None:
    known = [{"energy.form": "gated", "energy.w": 1.5}, {"energy.form": "linear"}]
    assert len(sweep(tmp_path, enqueue=known).basis.enqueued) == 2
    with pytest.raises(UserError, match="entries 1 and 3 are one configuration, which runs once") as refused:
        sweep(tmp_path, enqueue=[*known, again])
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"energy.fom": "gated"}, "'energy.fom' is not varied by space; did you mean 'energy.form'"),
        ({"energy.form": "blocking"}, "energy.form is 'blocking', which the space cannot draw"),
        ({"method": "person"}, "method is 'person', expected one of none, pearson; did you mean 'pearson'"),
        ({"energy.form": "gated", "energy.w": 9.0}, "energy.w is 9.0, which the space cannot draw"),
        ({"energy.w": 1.5}, "energy.w is 1.5, and it exists only when energy.form is gated"),
        ({"method": ["pearson"]}, "method is .*, expected one of none, pearson"),
    ],
)
def test_a_configuration_that_cannot_be_drawn_is_named(
    entry: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        sweep(tmp_path, enqueue=[entry])


def test_a_path_is_walked_wave_by_wave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = {"kind": "path", "to": "rp22", "steps": 2}
    made = sweep(tmp_path, design=design, space={}, trial={"seeds": 2}, trials=None)
    held = proposer(tmp_path, made)
    ran: dict[str, dict[int, float]] = {}
    monkeypatch.setattr(
        "harness.sweep.search.proposer.results",
        lambda *_, **__: lambda changes: ran.get(made.resolved(changes, gpu=False).id),
    )
    waves, waiting = 0, dict[str, Any]()
    for number in range(200):
        config: Any = held.suggest(f"t{number}")
        if config == Searcher.FINISHED:
            break
        if config is not None:
            waiting[f"t{number}"] = config
            continue
        assert waiting, "it waits for nothing"
        waves += 1
        for trial, each in waiting.items():
            ran[each["configuration"]] = {0: 0.5 + 0.1 * ("decouple.grl" in each["changes"]), 1: 0.5}
            end(held, trial, each)
        waiting = {}
    assert waves == 2
    assert held.new == 0
    arms = [planned.arm for planned in held.plan.configs.values()]
    assert {"minimal", "rp22", "minimal + grl"} <= set(arms)
    again = Plan.load(tmp_path / "run")
    assert again is not None
    assert [planned.arm for planned in again.configs.values()] == arms, "each is in the plan before it runs"
