"""Every draw of every distribution honours bounds and conditions and composes to a valid configuration."""

import itertools
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.check import build_space, parse_entry, probe
from harness.config.space.compose import compose, load_preset
from harness.config.space.composer import Composer
from harness.config.space.distributions import KINDS, DistributionBlock, same
from harness.config.space.space import Space, as_list

optuna.logging.set_verbosity(optuna.logging.WARNING)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def ask(seed: int, kind: str = "random") -> optuna.trial.Trial:
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
    if kind == "tpe":
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1)
    return optuna.create_study(sampler=sampler).ask()


def numbers(low: float, high: float) -> st.SearchStrategy[list[float]]:
    ends = st.floats(low, high, allow_nan=False)
    return st.tuples(ends, ends).filter(lambda two: two[0] < two[1]).map(list)


LISTS = st.sampled_from(["choice", "grid"])
DISTRIBUTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "energy.form": st.tuples(
        LISTS,
        st.lists(st.sampled_from(["linear", "interaction", "gated"]), min_size=1, max_size=3, unique=True),
    ).map(lambda drawn: {drawn[0]: drawn[1]}),
    "optimiser.lr": numbers(1e-6, 1.0).map(lambda ends: {"loguniform": ends}),
    "model.dropout": numbers(0.0, 0.9).map(lambda ends: {"uniform": ends}),
    "model.blocks": st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda two: {"int": sorted(two)}),
    "loss.ranking.weight": st.lists(st.floats(0.01, 2.0), min_size=1, max_size=4).map(
        lambda ws: {"grid": ws}
    ),
    "temperature.mode": st.lists(
        st.sampled_from(["fixed", "learned", "per_cell", "calibrated"]), min_size=1, max_size=4, unique=True
    ).map(lambda modes: {"choice": modes}),
    "support.labels": st.just({"choice": [True, False]}),
}


@st.composite
def raw_spaces(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Spaces over any subset of paths; variants' own keys and random conditions on finite entries come with them."""
    names = draw(st.lists(st.sampled_from(list(DISTRIBUTIONS)), unique=True, min_size=1))
    raw: dict[str, dict[str, Any]] = {name: dict(draw(DISTRIBUTIONS[name])) for name in names}
    forms = raw.get("energy.form", {})
    offered = [*forms.get("choice", []), *forms.get("grid", [])]
    if "gated" in offered:
        raw["energy.w"] = {"uniform": draw(numbers(-10.0, 10.0)), "when": {"energy.form": "gated"}}
    if "interaction" in offered:
        raw["energy.lam"] = {"uniform": draw(numbers(-2.0, 2.0)), "when": {"energy.form": ["interaction"]}}
    modes = raw.get("temperature.mode", {}).get("choice", [])
    learned = [mode for mode in modes if mode in ("learned", "per_cell")]
    if learned:
        raw["temperature.penalty"] = {
            "loguniform": draw(numbers(1e-3, 100.0)),
            "when": {"temperature.mode": learned},
        }
    parents = {name: parse_entry(name, body).values() for name, body in raw.items() if not body.get("when")}
    finite = {name: values for name, values in parents.items() if values}
    for name in ("optimiser.lr", "model.dropout"):
        if name in raw and len(finite) > 0 and draw(st.booleans()):
            parent = draw(st.sampled_from(sorted(finite)))
            value: Any = draw(st.sampled_from(finite[parent] or []))
            raw[name]["when"] = {parent: value}
    return dict(draw(st.permutations(list(raw.items()))))


def within(entry: DistributionBlock, value: Any) -> bool:
    values = entry.values()
    if values is not None:
        return any(same(value, one) for one in values)
    low, high = entry.ends()
    return bool(low <= value <= high)


def check_draw(space: Space, changes: dict[str, Any]) -> None:
    for name, entry in space.entries.items():
        held = all(
            key in changes and any(same(changes[key], one) for one in as_list(wanted))
            for key, wanted in entry.when.items()
        )
        assert (name in changes) == held
        if held:
            assert within(entry, changes[name])


@SLOW
@given(raw=raw_spaces(), seed=st.integers(0, 2**31 - 1), kind=st.sampled_from(["random", "tpe"]))
def test_samples_honour_bounds_and_conditions_and_compose(raw: dict, seed: int, kind: str) -> None:
    base = load_preset("rp24")
    space = build_space(raw, Composer(base))
    changes = space.sample(ask(seed, kind))
    assert changes.keys() <= raw.keys()
    check_draw(space, changes)
    config = compose(base, changes)
    assert isinstance(config, ConfigurationBlock)
    dumped = config.model_dump()
    for path, value in changes.items():
        held: Any = dumped
        for key in path.split("."):
            held = held[key]
        assert held == value
    assert compose(base, dict(reversed(changes.items()))).id == config.id


@SLOW
@given(raw=raw_spaces(), seed=st.integers(0, 2**31 - 1))
def test_same_seed_same_draw(raw: dict, seed: int) -> None:
    space = build_space(raw, Composer(load_preset("minimal")))
    assert space.sample(ask(seed)) == space.sample(ask(seed))


@SLOW
@given(raw=raw_spaces())
def test_enumeration_is_exactly_the_draws_that_conditions_allow(raw: dict) -> None:
    finite = {name: body for name, body in raw.items() if parse_entry(name, body).values() is not None}
    finite = {n: b for n, b in finite.items() if set(b.get("when", {})) <= set(finite)}
    space = build_space(finite, Composer(load_preset("minimal")))
    listed = space.enumerate()
    keys = [tuple(sorted((k, repr(v)) for k, v in one.items())) for one in listed]
    assert len(set(keys)) == len(keys)
    expected = set()
    for values in itertools.product(*(entry.values() or [] for entry in space.entries.values())):
        full = dict(zip(space.entries, values, strict=True))
        drawn = space.draw(lambda name, _, full=full: full[name])  # type: ignore[misc]  # a default binds the loop's
        expected.add(tuple(sorted((k, repr(v)) for k, v in drawn.items())))
    assert set(keys) == expected
    for changes in listed:
        check_draw(space, changes)


def test_every_distribution_has_a_row_here() -> None:
    examples = {
        "choice": [1, 2], "grid": [1, 2], "uniform": [1.0, 2.0], "loguniform": [1.0, 2.0], "int": [1, 2],
    }  # fmt: skip
    assert examples.keys() == KINDS.keys()
    for kind, body in examples.items():
        entry = parse_entry("model.pool", {kind: body})
        drawn = {entry.suggest(ask(seed), "x") for seed in range(20)}
        assert all(within(entry, value) for value in drawn)
        assert len(drawn) > 1


def test_loguniform_is_even_in_its_logarithm() -> None:
    entry = parse_entry("optimiser.lr", {"loguniform": [1e-4, 1.0]})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    drawn = [entry.suggest(study.ask(), "x") for _ in range(200)]
    assert 0.4 < sum(value < 1e-2 for value in drawn) / 200 < 0.6


def test_named_options_set_several_paths_and_can_be_conditions() -> None:
    raw: dict[str, dict[str, Any]] = {
        "decouple.pearson": {"loguniform": [0.01, 2.0], "when": {"method": "pearson"}},
        "method": {"choice": {"none": {"decouple.pearson": 0.0, "decouple.grl": 0.0}, "pearson": {}}},
    }
    space = build_space(raw, Composer(load_preset("rp24")))
    drawn = [space.sample(ask(seed)) for seed in range(12)]
    assert all("method" not in changes for changes in drawn)
    assert {tuple(sorted(changes)) for changes in drawn} == {
        ("decouple.grl", "decouple.pearson"),
        ("decouple.pearson",),
    }
    assert all(0.01 <= c["decouple.pearson"] <= 2.0 for c in drawn if "decouple.grl" not in c)
    assert space.describe()[1]["when"] == "method is pearson"


def test_true_is_not_one_in_a_condition() -> None:
    assert not same(True, 1)
    assert same(1, 1.0)
    assert same(None, None)
    raw: dict[str, dict[str, Any]] = {
        "support.labels": {"choice": [True, False]},
        "model.pool": {"int": [1, 3], "when": {"support.labels": 1}},
    }
    with pytest.raises(ConfigError, match="can never hold"):
        build_space(raw, Composer(load_preset("minimal")))


def test_condition_on_a_path_outside_is_decided_by_the_base() -> None:
    raw = {"model.pool": {"choice": [12, 24], "when": {"energy.form": "linear"}}}
    assert len(build_space(raw, Composer(load_preset("minimal"))).enumerate()) == 2
    with pytest.raises(ConfigError, match=r"does not vary energy.form and it is interaction"):
        build_space(raw, Composer(load_preset("rp24")))


def test_continuous_space_has_no_list_and_an_empty_one_its_base() -> None:
    space = build_space({"optimiser.lr": {"uniform": [0.1, 0.2]}}, Composer({}))
    assert space.size() is None
    with pytest.raises(ValueError, match=r"optimiser.lr .* is continuous"):
        space.enumerate()
    assert build_space({}, Composer({})).enumerate() == [{}]


def test_probe_of_a_large_space_visits_every_value() -> None:
    raw = {
        path: {"choice": [1, 2, 3, 4]}
        for path in ("model.blocks", "model.pool", "support.draws", "episode.per_step")
    }
    raw["model.anchors"] = {"int": [1, 3]}
    space = build_space(raw, Composer(load_preset("minimal")))
    seen = {(path, value) for changes in probe(space) for path, value in changes.items()}
    assert seen == {(name, value) for name, entry in space.entries.items() for value in entry.ends()}
