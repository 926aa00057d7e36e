"""What a configuration is without a mechanism, or with one more, by the catalogue, with the least that goes along."""

from typing import Any

import pytest

from harness.config.space.compose import SEARCH_SPACES, load_preset
from harness.config.space.composer import Composer
from harness.design.addition import additions, apart, lacking
from harness.design.removal import Switched, removals
from harness.design.settling import mechanisms_of
from harness.mechanisms.catalogue import catalogue
from models.declared import DECLARED, declare
from models.registry import EVERYWHERE

PRESETS = sorted(file.stem for file in (SEARCH_SPACES / "presets").glob("*.yaml"))


def of(preset: str, **changes: Any) -> dict[str, Switched | str]:
    """Mechanism -> the configuration without it, or why it stays."""
    told: dict[str, Switched | str] = {}
    for each in removals(Composer({**load_preset(preset), **changes})):
        if isinstance(each, Switched):
            told[each.mechanism.key] = each
        else:
            told[each[0].key] = each[1]
    return told


def along(exchange: Switched | str) -> set[str]:
    assert isinstance(exchange, Switched), exchange
    return set(exchange.along)


@pytest.mark.parametrize("row", catalogue(), ids=lambda row: f"{row.id}-{row.key}")
def test_every_mechanism_says_how_it_is_without_it(row: Any) -> None:
    assert bool(row.without) != bool(row.kept)
    assert row.row()["without"]


def test_a_declaration_without_it_is_refused() -> None:
    texts = {"kind": "k", "name": "n", "when": {"a": 1}, "equation": "e", "shapes": "->", "source": "s"}
    count = len(DECLARED)
    with pytest.raises(ValueError, match="'stuck' does not declare what a configuration is without it"):
        declare("M10", "stuck", acts=EVERYWHERE, reads=frozenset(), **texts)
    with pytest.raises(ValueError, match="'stuck' does not declare"):
        declare("M10", "stuck", acts=EVERYWHERE, reads=frozenset(), without={"a": 0}, kept="why", **texts)
    assert len(DECLARED) == count


@pytest.mark.parametrize("preset", PRESETS)
def test_each_removal_is_a_configuration_without_it(preset: str) -> None:
    present = {each.key for each in mechanisms_of(Composer(load_preset(preset))({}))}
    found = of(preset)
    assert set(found) == present
    for key, exchange in found.items():
        if isinstance(exchange, str):
            assert exchange.strip()
            continue
        after = {each.key for each in mechanisms_of(exchange.config)}
        assert key not in after
        assert present - after == {key, *exchange.along}
        assert after - present == set(exchange.instead)


def test_closures_of_complete_are_the_least_that_can_go() -> None:
    found = of("complete")
    assert along(found["gcn"]) == {"graph_map"}
    assert along(found["gradient"]) == {"fusion", "distillation"}
    assert along(found["pseudo_unseen"]) == {"opportunist", "competition"}
    assert along(found["learned"]) == {"temperature"}
    assert along(found["pearson"]) == along(found["graph_map"]) == along(found["isab"]) == set()
    support = found["support"]
    assert {"gated", "distillation", "gcn", "pearson", "contrastive"} <= along(support)
    assert "vib" not in along(support), "what needs no environment stays"
    gated = found["gated"]
    assert isinstance(gated, Switched)
    assert gated.instead == ("linear",)


def test_what_stays_says_why() -> None:
    found = of("minimal")
    assert found["fourier_kan"] == "U_I is what it makes of z_I"
    assert "plain energy form" in str(found["linear"])
    rp12 = of("rp12")
    assert "predict.mode: branch_select" in str(rp12["support"]), "the refusal that is left is the reason"


def test_weights_of_the_base_stay_as_they_are() -> None:
    before = Composer(load_preset("complete"))({}).model_dump()
    exchange = of("complete")["pearson"]
    assert isinstance(exchange, Switched)
    after = exchange.config.model_dump()
    before["decouple"]["pearson"] = 0.0
    assert after == before


@pytest.mark.parametrize("preset", ["complete", "rp24", "rp13"])
def test_each_addition_has_the_settings_of_the_other(preset: str) -> None:
    base, other = Composer(load_preset("minimal")), Composer(load_preset(preset))({})
    found = list(additions(base, other))
    assert len(found) == len(lacking(base({}), other))
    settings = other.model_dump()
    for exchange in found:
        assert isinstance(exchange, Switched), exchange
        assert exchange.mechanism in mechanisms_of(exchange.config)
        for path, value in exchange.changes.items():
            here: Any = settings
            for key in path.split("."):
                here = here[key]
            assert here == value, path
        assert set(exchange.along) <= {each.key for each in mechanisms_of(other)}


def test_an_addition_brings_what_it_needs_and_its_parameters() -> None:
    base, other = Composer(load_preset("minimal")), Composer(load_preset("complete"))({})
    found = {e.mechanism.key: e for e in additions(base, other) if isinstance(e, Switched)}
    assert set(found["distillation"].along) == {"gradient", "fusion"}
    assert found["isab"].changes["environment.inducing"] == 16
    assert set(found["temperature"].along) == {"learned"}
    assert found["gated"].instead == ("linear",)
    assert set(found["pearson"].along) == set()


def test_settings_of_no_mechanism_are_named_apart() -> None:
    base = Composer({**load_preset("minimal"), "optimiser": {"lr": 0.002}})
    assert apart(base({}), Composer(load_preset("rp24"))({})) == {"optimiser.lr": (0.002, 0.001)}
