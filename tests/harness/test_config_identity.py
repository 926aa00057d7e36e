"""A configuration's identity outlives new fields: at the value they had before they existed they are no part of it."""

import hashlib
import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from harness.config.blocks.block import Before, Block
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import SEARCH_SPACES, compose, load_preset

PRESETS = {
    "complete": ("e65ffdf150b1", "942873efbbdf"),
    "cross_attention": ("e3498a82ebf6", "a1183e8b6482"),
    "minimal": ("0bcdbda8214e", "77447cd9cf07"),
    "rp04": ("8241a613cf1b", "c5fc13c1c14b"),
    "rp09": ("1093051bc1d3", "040e7589a7ac"),
    "rp12": ("aa4b5d5fbbf8", "2a48cd7960d2"),
    "rp13": ("673c48f18063", "7a6c8751e6cb"),
    "rp22": ("a6b426e7cb24", "986882443a15"),
    "rp24": ("4086d8414822", "8500a96fb445"),
    "rp25": ("8db5c58dc09c", "9d750c88c08e"),
}
"""Preset -> its id, and that of what it is where there is no GPU; stored units are found by them."""


class InnerBefore(Block):
    weight: float = 1.0


class Inner(Block):
    weight: float = 1.0
    margin: Annotated[float, Before(0.0)] = 0.5
    """Came later, and today's default is another one than what the program did before."""


class Plain(Block):
    kind: Literal["plain"] = "plain"


class Rich(Block):
    kind: Literal["rich"] = "rich"
    depth: Annotated[int, Before(1)] = 3


class OldOuter(Block):
    inner: InnerBefore = InnerBefore()
    choice: Plain = Plain()


class Outer(Block):
    inner: Inner = Inner()
    choice: Annotated[Plain | Rich, Field(discriminator="kind")] = Plain()
    noise: Annotated[Inner | None, Before(None)] = None
    several: Annotated[list[Inner], Before([])] = Field(default_factory=list)


def test_new_field_at_its_value_before_keeps_the_identity() -> None:
    old = OldOuter()
    assert Outer(inner=Inner(margin=0.0)).identity() == old.identity()
    today = Outer()
    assert today.identity()["inner"] == {"weight": 1.0, "margin": 0.5}, (
        "today's default is another configuration"
    )
    assert today.identity() != old.identity()
    assert Outer(choice=Rich(depth=1)).identity()["choice"] == {"kind": "rich"}
    assert Outer(choice=Rich()).identity()["choice"] == {"kind": "rich", "depth": 3}
    listed = Outer(several=[Inner(margin=0.0), Inner()]).identity()["several"]
    assert listed == [{"weight": 1.0}, {"weight": 1.0, "margin": 0.5}]
    assert Outer(noise=Inner(margin=0.0)).identity()["noise"] == {"weight": 1.0}


def test_content_from_before_a_field_gets_the_value_before() -> None:
    stored = Outer.stored(
        {**OldOuter(inner=InnerBefore(weight=2.0)).model_dump(), "choice": {"kind": "rich"}}
    )
    assert (stored.inner.margin, stored.choice, stored.noise) == (0.0, Rich(depth=1), None)
    assert Outer.model_validate({"inner": {"weight": 2.0}}).inner.margin == 0.5, (
        "a person's YAML has today's default"
    )
    assert Outer.stored(Outer().model_dump(mode="json")) == Outer()
    with pytest.raises(ValueError, match="margn"):
        Outer.stored({"inner": {"margn": 1.0}})


def test_the_id_of_a_configuration_is_the_hash_of_its_identity() -> None:
    config = ConfigurationBlock().resolved()
    text = json.dumps(config.identity(), sort_keys=True, separators=(",", ":"))
    assert config.id == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert ConfigurationBlock.stored(config.canonical()).id == config.id


def test_the_presets_have_the_ids_that_they_were_stored_under() -> None:
    assert sorted(PRESETS) == sorted(file.stem for file in (SEARCH_SPACES / "presets").glob("*.yaml"))
    for name, ids in PRESETS.items():
        config = compose(load_preset(name), {})
        assert (config.id, config.resolved(gpu=False).id) == ids, name
