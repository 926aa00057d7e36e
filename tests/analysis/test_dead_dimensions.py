"""Swept keys whose loss term did nothing, from units made by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.dead_dimensions import dimensions_view, silent_dimensions
from analysis.store import Run
from tests.recorded.copies import Copy, write, write_unit

KEY = "loss.prototypes.weight"
OTHER = "decouple.grl"


def make(path: Path, *configs: tuple[Mapping[str, Any], float | None, float], status: str = "done") -> Run:
    """A run of configurations (changes, value of the term prototypes in its second of two epochs or None where it is not
    configured, share of steps in force); of the term grl, which always acts, where its weight is changed."""
    for at, (changes, value, share) in enumerate(configs):
        name = f"c{at}"
        write_unit(path, Copy(name, changes, status=status), 0)
        rows: list[dict[str, Any]] = []
        for epoch in (1, 2):
            shared = {"config": name, "fold": "chr8", "seed": 0, "epoch": epoch, "grad_norm": 0.0}
            task = {"term": "task", "weight_key": "loss.task", "value": 0.6, "weight": 1.0}
            hinge = {"term": "prototypes", "weight_key": KEY, "value": 0.0, "acting": 0.0, "in_force": share}
            hinge["weight"] = 0.1 * (share > 0)
            if value is not None and epoch == 2:
                hinge |= {"value": value, "acting": 0.5 * (value != 0)}
            grl = {"term": "grl", "weight_key": OTHER, "value": 0.7, "weight": 0.1}
            rows.append(shared | task)
            rows += [shared | hinge] if value is not None else []
            rows += [shared | grl] if OTHER in changes else []
        write(path, "terms", f"{name}-chr8-0.parquet", rows)
    return Run.open(path)


def said(run: Run) -> list[str]:
    return [dimension.sentence() for dimension in silent_dimensions(run)]


def test_a_swept_weight_that_never_acted_is_a_dead_dimension(tmp_path: Path) -> None:
    run = make(tmp_path, *(({KEY: weight, OTHER: weight}, 0.0, 1.0) for weight in (1.0, 0.01, 0.2)))
    sentence = (
        f"{KEY} was swept over 0.01 to 1 in 3 configurations and never acted in any: this dimension is dead"
    )
    assert said(run) == [sentence]
    console = Console(width=200)
    with console.capture() as capture:
        for part in dimensions_view(run):
            console.print(part)
    assert [line.strip() for line in capture.get().splitlines()] == ["", "Swept without effect", sentence]


def test_a_dimension_that_acted_somewhere_is_counted(tmp_path: Path) -> None:
    weights = ((0.01, 0.0), (0.1, 0.3), (1.0, 0.0), (0.5, 1e-9))
    run = make(tmp_path, *(({KEY: weight}, value, 1.0) for weight, value in weights))
    assert said(run) == [f"{KEY} was swept over 0.01 to 1 in 4 configurations and acted in 2 of 4"]


def test_a_term_that_was_never_in_force_makes_its_keys_dead(tmp_path: Path) -> None:
    radius = "loss.prototypes.radius"
    configs = (({KEY: 0.1, radius: r}, 0.0, 0.0) for r in (0.5, 1.0))
    assert said(make(tmp_path, *configs)) == [
        f"{radius} was swept over 0.5 to 1 in 2 configurations and never acted in any: this dimension is dead"
    ]


def test_only_configurations_that_have_the_term_count(tmp_path: Path) -> None:
    run = make(tmp_path, ({KEY: 0.1}, 0.0, 1.0), ({KEY: 0.3}, 0.0, 1.0), ({KEY: 0.0}, None, 0.0))
    assert said(run) == [
        f"{KEY} was swept over 0.1 to 0.3 in 2 configurations and never acted in any: this dimension is dead"
    ]


def test_a_key_under_a_condition_counts_where_it_was_given(tmp_path: Path) -> None:
    kind, radius = "loss.prototypes.kind", "loss.prototypes.radius"
    hinged = [({KEY: 0.1, kind: "hinged", radius: r}, 0.0, 1.0) for r in (1.0, 3.0)]
    run = make(tmp_path, *hinged, ({KEY: 0.1, kind: "pull"}, 0.4, 1.0))
    assert said(run) == [
        f"{radius} was swept over 1 to 3 in 2 configurations and never acted in any: this dimension is dead",
        f"{kind} was swept over hinged, pull in 3 configurations and acted in 1 of 3",
    ]


def mechanisms(path: Path, **configs: tuple[Mapping[str, Any], dict[str, tuple[str, float]]]) -> Run:
    """A run of configurations by name: (changes, part -> (its keys, how far it moved))."""
    for name, (changes, parts) in configs.items():
        write_unit(path, Copy(name, changes), 0)
        shared = {"config": name, "fold": "chr8", "seed": 0, "epoch": 1}
        rows = [
            {
                **shared,
                "id": "M13",
                "mechanism": name[0],
                "part": part,
                "keys": keys,
                "in_force": 1.0,
                "moved": moved,
            }
            for part, (keys, moved) in parts.items()
        ]
        write(path, "mechanisms", f"{name}-chr8-0.parquet", rows)
    return Run.open(path)


def test_keys_of_a_silent_mechanism_are_dead(tmp_path: Path) -> None:
    form, tau, b = "energy.form", "energy.tau", "energy.b"
    keys = f"{form},energy.*"
    shut = {"gate": (keys, 0.0)}
    run = mechanisms(
        tmp_path,
        **{f"t{at}": ({form: "threshold_gate", tau: at, b: 0.1}, shut) for at in (1, 2)},
        linear=({form: "linear"}, {}),
    )
    assert said(run) == [
        f"{tau} was swept over 1 to 2 in 2 configurations and never acted in any: this dimension is dead"
    ], "the form itself is not: linear may do something"


def test_a_key_by_itself_counts_before_its_block(tmp_path: Path) -> None:
    bank, momentum, kind = (
        "environment.teacher.bank",
        "environment.teacher.momentum",
        "environment.teacher.kind",
    )
    block = f"{kind},environment.teacher.*"
    run = mechanisms(
        tmp_path,
        **{
            f"e{at}": ({bank: at, momentum: at, kind: "ema"}, {"a": (block, 1.0), "b": (bank, 0.0)})
            for at in (1, 2)
        },
    )
    assert said(run) == [
        f"{bank} was swept over 1 to 2 in 2 configurations and never acted in any: this dimension is dead"
    ]


def test_a_choice_against_none_is_dead_where_it_never_acted(tmp_path: Path) -> None:
    kind = "environment.teacher.kind"
    silent = {"state": (f"{kind},environment.teacher.*", 0.0)}
    run = mechanisms(tmp_path, e=({kind: "ema"}, silent), n=({kind: "none"}, {}))
    assert said(run) == [
        f"{kind} was swept over ema in 1 configuration and never acted in any: this dimension is dead"
    ]


@pytest.mark.parametrize(
    ("configs", "status"),
    [
        ([({KEY: 0.1}, 0.2, 1.0), ({KEY: 0.3}, 0.1, 1.0)], "done"),
        ([({KEY: 0.1, "optimiser.lr": rate}, 0.0, 1.0) for rate in (0.1, 0.2)], "done"),
        ([({KEY: 0.1}, 0.0, 1.0), ({KEY: 0.3}, 0.0, 1.0)], "failed"),
    ],
    ids=["acted everywhere", "not swept", "never ended"],
)
def test_nothing_is_said_without_a_silent_swept_key(
    tmp_path: Path, configs: list[tuple[Mapping[str, Any], float | None, float]], status: str
) -> None:
    run = make(tmp_path, *configs, status=status)
    assert said(run) == []
    assert list(dimensions_view(run)) == []


def test_a_store_without_the_paths_of_weights_says_nothing(tmp_path: Path) -> None:
    for at in range(2):
        write_unit(tmp_path, Copy(f"c{at}", {"loss.ranking.weight": float(at)}), 0)
    assert said(Run.open(tmp_path)) == []
