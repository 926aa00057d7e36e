"""Presets plus changes: variants, sparse merges, lines of YAML paths."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import flatten
from harness.config.space.compose import compose, load_preset, nest
from harness.config.yaml.lines import parse_scalar, parse_yaml


def test_change_of_variant_drops_the_base_keys_that_it_lacks() -> None:
    base = {"energy": {"form": "interaction", "lam": 0.3}, "temperature": {"mode": "learned", "penalty": 0.5}}
    config = compose(base, {"energy.form": "gated", "temperature.mode": "per_cell"})
    assert config.energy.model_dump() == {"form": "gated", "w": 1.0}
    assert config.temperature.model_dump() == {"mode": "per_cell", "penalty": 0.5}


@pytest.mark.parametrize(
    ("base", "change", "kept"),
    [
        (
            {"environment": {"source": "support", "encoder": "isab", "width": 8}},
            {"environment.source": "id"},
            "width",
        ),
        ({"balance": {"kind": "ramp", "epochs": 3}}, {"balance.kind": "fixed"}, None),
    ],
)
def test_every_variant_block_drops_alike(base: dict, change: dict, kept: str | None) -> None:
    block = next(iter(base))
    composed = compose(base, change).model_dump()[block]
    if kept:
        assert composed[kept] == base[block][kept]
    assert compose(base, change) == compose(
        {}, {**change, **({f"{block}.{kept}": base[block][kept]} if kept else {})}
    )


def test_the_same_variant_again_keeps_its_keys() -> None:
    base = {"energy": {"form": "interaction", "lam": 0.3}}
    assert compose(base, {"energy.form": "interaction"}).energy.model_dump()["lam"] == 0.3


def test_default_variant_need_not_be_named() -> None:
    config = compose({"environment": {"width": 8}}, {"temperature.value": 2.0})
    assert config.environment.source == "support"
    assert config.temperature.model_dump()["value"] == 2.0


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        (
            {"energy.form": "gated", "energy.lam": 1.0},
            "energy.lam",
            "exists only where energy.form is interaction",
        ),
        ({"optimiser.lrr": 1.0}, "optimiser.lrr", "did you mean 'lr'"),
        ({"energy.form": "gatd"}, "energy", "did you mean 'gated'"),
        ({"environment.source": "none"}, "", "has no R_E and no z_E"),
    ],
)
def test_keys_of_the_changes_are_never_dropped(changes: dict, path: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        compose(load_preset("rp24"), changes)
    assert caught.value.path == path


def test_identical_changes_written_differently_have_one_id() -> None:
    base = load_preset("rp24")
    one = compose(base, {"optimiser.lr": 1, "energy.form": "gated", "energy.w": 2.0})
    other = compose(base, {"energy": {"w": 2, "form": "gated"}, "optimiser": {"lr": 1.0}})
    assert one.id == other.id
    assert one.resolved().id == other.resolved().id
    assert compose(base, {"optimiser.lr": 0.5}).id != one.id
    assert compose(one.canonical(), {}).id == one.id


def test_limits_may_have_dots_in_their_names() -> None:
    assert compose({}, {"limits.loose_boundary.precision": 0.5}).limits == {"loose_boundary.precision": 0.5}
    assert flatten(nest({"limits.a.b": 1.0, "x.y": 2})) == {"limits.a.b": 1.0, "x.y": 2}


def test_a_path_given_twice_in_two_spellings_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'optimiser\.lr' is given twice"):
        flatten({"optimiser": {"lr": 1}, "optimiser.lr": 2})
    with pytest.raises(ConfigError, match="'energy' is a block of keys"):
        nest({"energy": 1, "energy.form": "gated"})


def test_unknown_preset_names_the_nearest_and_a_local_one_loads(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'cross_attention'"):
        load_preset("cross_atention")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.yaml").write_text("routing: shared\n")
    assert load_preset("mine", beside=tmp_path) == {"routing": "shared"}
    assert load_preset("rp04", beside=tmp_path) == load_preset("rp04")


def test_lines_of_nested_dotted_and_listed_keys() -> None:
    document = parse_yaml("a:\n  b.c: 1\n\n  d:\n    - x\n    - y: 2\ne: {f: 1.5e-3}\n", Path("t.yaml"))
    assert document.data == {"a": {"b.c": 1, "d": ["x", {"y": 2}]}, "e": {"f": 0.0015}}
    assert type(document.data) is dict
    assert type(document.data["e"]["f"]) is float
    lines = {
        path: document.line(path)
        for path in ("a", "a.b.c", "a.d", "a.d.0", "a.d.1", "a.d.1.y", "e.f", "e.g", "z")
    }
    expected = {
        "a": 1,
        "a.b.c": 2,
        "a.d": 4,
        "a.d.0": 5,
        "a.d.1": 6,
        "a.d.1.y": 6,
        "e.f": 7,
        "e.g": 7,
        "z": 1,
    }
    assert lines == expected
    assert document.where("a.d") == "t.yaml:4"


def test_scalars_read_as_yaml_does() -> None:
    read = {
        text: parse_scalar(text) for text in ("1", "1e-3", "true", "null", "yes", "[1, 2]", "0.5", "gated")
    }
    assert read == {"1": 1, "1e-3": 1e-3, "true": True, "null": None, "yes": "yes", "[1, 2]": [1, 2], "0.5": 0.5,
                    "gated": "gated"}  # fmt: skip
    assert isinstance(read["true"], bool)
    assert isinstance(read["1"], int)
