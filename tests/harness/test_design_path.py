"""A greedy path between two presets: chosen on half of the seeds, reported on the other, walked from both ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import UserError
from analysis.waterfall import FILE
from harness.config.blocks.design import Changes, Reached, Staged
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.sweep.search.stages import save_walks

STEPS = ("grl", "orthogonal", "contrastive", "prototypes_pull")
WORTH = {"decouple.grl": 0.01, "decouple.orthogonal": -0.02, "loss.contrastive.weight": 0.05}
"""Path of a weight -> what switching it on adds to the objective; prototypes add 0.03 beside contrast only."""


def sweep(folder: Path, to: str = "rp22", seeds: int = 4, **keys: Any) -> Sweep:
    file = folder / "a.yaml"
    options = {key: keys.pop(key) for key in ("steps",) if key in keys}
    content = {"name": "a", "base": "minimal", "data": {"synthetic": {}}, "trial": {"seeds": seeds}}
    file.write_text(json.dumps({**content, "design": {"kind": "path", "to": to, **options}, **keys}))
    return load_sweep(file)


def walked(made: Sweep, noise: float = 0.0) -> tuple[dict[str, Changes], list[str], int]:
    """Arms that ran by name, the ending, and waves: what a path does of configurations that are worth what WORTH says; the
    seeds that report have `noise` on top."""
    arms, reached, waves = walk(made, noise)
    design = made.config.of_design
    assert isinstance(design, Staged)
    return arms, design.ending(made.basis, reached), waves


def walk(made: Sweep, noise: float = 0.0) -> tuple[dict[str, Changes], Reached, int]:
    """Arms that ran by name, what they reached, and waves."""
    design = made.config.of_design
    assert isinstance(design, Staged)
    ran: dict[str, dict[int, float]] = {}
    arms: dict[str, Changes] = {}

    def reached(changes: Changes) -> dict[int, float] | None:
        return ran.get(made.resolved(changes, gpu=False).id)

    waves = 0
    while wave := design.next_arms(made.basis, reached):
        waves += 1
        for arm in wave:
            value = 0.6 + sum(worth for path, worth in WORTH.items() if path in arm.changes)
            both = "loss.prototypes.weight" in arm.changes and "loss.contrastive.weight" in arm.changes
            value += 0.03 * both
            config = made.resolved(arm.changes, gpu=False).id
            assert config not in ran, "each configuration runs once"
            ran[config] = {seed: value + noise * (seed % 2) for seed in made.config.seeds}
            arms[arm.name] = arm.changes
        assert waves < 20
    return arms, reached, waves


def test_the_best_of_what_is_left_is_taken_at_each_step(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    arms, ending, waves = walked(made)
    assert waves == 2, "the third step from one end leads to what the first from the other has tried"
    assert len(arms) <= made.trials
    there = ending.index("from minimal: 0.6000 (chosen on: 0.6000)")
    order = [line.split("+ ")[1].split(":")[0] for line in ending[there + 1 : there + 5]]
    assert order == ["contrastive", "prototypes_pull", "grl", "orthogonal"]
    back = next(place for place, line in enumerate(ending) if line.startswith("back from rp22"))
    reverse = [line.split("- ")[1].split(":")[0] for line in ending[back + 1 : back + 5]]
    assert reverse == ["orthogonal", "grl", "prototypes_pull", "contrastive"]


def test_one_half_of_the_seeds_chooses_and_the_other_reports(tmp_path: Path) -> None:
    _, ending, _ = walked(sweep(tmp_path), noise=1.0)
    assert ending[0] == "chosen on seeds 0, 2, reported on seeds 1, 3"
    assert any("contrastive: 1.6500 (chosen on: 0.6500)" in line for line in ending)


def test_walk_json_has_the_configurations_of_both_walks(tmp_path: Path) -> None:
    made = sweep(tmp_path, steps=2)
    arms, reached, _ = walk(made)
    design = made.config.of_design
    assert isinstance(design, Staged)
    save_walks(made, design.walks(made.basis, reached), tmp_path, gpu=False)
    written = json.loads((tmp_path / FILE).read_text())
    assert (written["chosen"], written["reported"]) == ([0, 2], [1, 3])
    # Worth 0.05 and 0.03 from the base; from the end -0.02 leaves first, then 0.01.
    told = {
        "from minimal": ["minimal", "+ contrastive", "+ prototypes_pull"],
        "back from rp22": ["rp22", "- orthogonal", "- grl"],
    }
    after = {
        "minimal": "minimal",
        "+ contrastive": "minimal + contrastive",
        "+ prototypes_pull": "minimal + contrastive + prototypes_pull",
        "rp22": "rp22",
        "- orthogonal": "minimal + grl + contrastive + prototypes_pull",
        "- grl": "minimal + contrastive + prototypes_pull",
    }
    assert {each["title"]: [step["name"] for step in each["steps"]] for each in written["walks"]} == told
    for each in written["walks"]:
        for step in each["steps"]:
            assert step["config"] == made.resolved(arms[after[step["name"]]], gpu=False).id, step


def test_a_cap_ends_it_from_either_end(tmp_path: Path) -> None:
    made = sweep(tmp_path, steps=1)
    arms, ending, waves = walked(made)
    assert waves == 1
    assert made.trials == 2 + 2 * 4 == len(arms)
    assert len([line for line in ending if line.startswith("  ")]) == 2


def test_smaller_is_better_of_a_likelihood(tmp_path: Path) -> None:
    _, ending, _ = walked(sweep(tmp_path, objective="val_unseen/pooled/nll"))
    assert "1. + orthogonal" in ending[2]


def test_the_end_of_the_path_is_the_other_preset(tmp_path: Path) -> None:
    made = sweep(tmp_path, to="complete")
    design = made.config.of_design
    assert isinstance(design, Staged)
    ends = [
        arm
        for arm in design.next_arms(made.basis, lambda changes: None)
        if arm.name in ("minimal", "complete")
    ]
    assert [made.resolved(arm.changes, gpu=False).id for arm in ends] == [
        made.resolved({}, gpu=False).id,
        made.basis.preset("complete").resolved(gpu=False).id,
    ]


def test_what_a_step_needs_moves_with_it(tmp_path: Path) -> None:
    made = sweep(tmp_path, to="rp09")
    design = made.config.of_design
    assert isinstance(design, Staged)
    arms = design.next_arms(made.basis, lambda changes: None)
    moved = [{arm.mechanism, *arm.along} for arm in arms if arm.note.startswith("step 1 from")]
    assert {"gradient", "distillation"} in moved, "nothing is distilled without a Teacher"
    assert {"distillation"} not in moved
    for arm in arms:
        made.resolved(arm.changes, gpu=False)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"seeds": 1}, "one half of the seeds chooses the path and the other reports it"),
        ({"to": "minimal"}, "are the same: there is no path"),
        ({"to": "rp42"}, "there is no preset 'rp42'"),
        ({"space": {"optimiser.lr": {"grid": [0.1, 0.2]}}}, "moves whole mechanisms and varies no key"),
        ({"trials": 3}, "trials has no meaning under design: path"),
        ({"steps": 0}, "steps is 0, expected at least 1"),
    ],
)
def test_a_path_that_there_is_not_gets_one_sentence(
    keys: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        sweep(tmp_path, **keys)
