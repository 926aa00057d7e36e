"""Choices are open: a block, a key or a name that is registered is valid, and changes nothing where it is not used."""

import subprocess
import sys
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from harness.config.blocks.block import Block
from harness.config.blocks.design import designs
from harness.config.blocks.explain import ConfigError, validate
from harness.config.blocks.loss import LossBlock
from harness.config.blocks.needs import NEEDS, switched_on
from harness.config.blocks.paths import leaves, options
from harness.config.blocks.registered import (
    Names,
    OpenBlock,
    VariantBlock,
    choice,
    variants_of,
    version,
)
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from models.energy import ENERGIES, TEMPERATURES
from models.environment import ENVIRONMENTS, SET_ENCODERS
from models.losses import LOSSES
from models.losses.term import LossTerm


class ShapeBlock(VariantBlock):
    """A shape."""

    path: ClassVar[str] = "test_shape.kind"
    kind: str


@choice("test_shape.kind")
class RoundBlock(ShapeBlock):
    """Round."""

    kind: Literal["round"] = "round"
    radius: float = Field(1.0, gt=0.0)


WORDS = ["a"]


class MoreBlock(OpenBlock):
    """What takes further keys."""

    word: Annotated[str, Names(lambda: WORDS)] = "a"


class HolderBlock(Block):
    """Holds both."""

    shape: ShapeBlock = RoundBlock()
    more: MoreBlock = Field(default_factory=MoreBlock)


def test_a_registered_variant_is_valid_in_what_holds_it() -> None:
    before = version()
    with pytest.raises(ConfigError, match=r"shape.kind is 'square', expected one of round"):
        validate(HolderBlock, {"shape": {"kind": "square"}})

    @choice("test_shape.kind")
    class SquareBlock(ShapeBlock):
        """Square."""

        kind: Literal["square"]
        side: float = Field(2.0, gt=0.0)

    assert version() > before
    assert validate(HolderBlock, {"shape": {"kind": "square"}}).model_dump()["shape"] == {
        "kind": "square",
        "side": 2.0,
    }
    assert list(variants_of(ShapeBlock)) == ["round", "square"]
    assert variants_of(SquareBlock) == {}
    with pytest.raises(ConfigError, match=r"shape.side is -1.0, expected above 0.0"):
        validate(HolderBlock, {"shape": {"kind": "square", "side": -1.0}})
    with pytest.raises(ConfigError, match=r"'raduis' is not a key of 'shape' .*did you mean 'radius'"):
        validate(HolderBlock, {"shape": {"kind": "round", "raduis": 1.0}})


def test_a_registered_key_changes_no_identity_at_its_default() -> None:
    before = HolderBlock().identity()

    @MoreBlock.of_block("depth")
    class DepthBlock(Block):
        """How deep."""

        weight: float = 0.0

    assert HolderBlock().more.depth == DepthBlock()  # type: ignore[attr-defined]  # registered two lines above
    assert HolderBlock().identity() == before
    assert HolderBlock.stored(before).identity() == before
    used = validate(HolderBlock, {"more": {"depth": {"weight": 1.0}}})
    assert used.identity()["more"] == {"word": "a", "depth": {"weight": 1.0}}
    MoreBlock.extend("first", float, 0.0, "As old as the block.", always=True)
    assert HolderBlock().identity()["more"]["first"] == 0.0
    with pytest.raises(ValueError, match="the key 'depth' of MoreBlock is registered already"):
        MoreBlock.of_block("depth")(DepthBlock)


def test_a_registered_name_is_valid_from_then_on() -> None:
    WORDS.append("alpha")
    with pytest.raises(ConfigError, match=r"more.word is 'beta', expected one of a, alpha"):
        validate(HolderBlock, {"more": {"word": "beta"}})
    WORDS.append("beta")
    assert validate(HolderBlock, {"more": {"word": "beta"}}).more.word == "beta"


def test_a_block_that_does_not_fit_cannot_be_registered() -> None:
    class StrayBlock(Block):
        """Of no base."""

        kind: Literal["stray"] = "stray"

    class NeedyBlock(Block):
        """Has a key without a default."""

        weight: float

    class BareBlock(ShapeBlock):
        kind: Literal["bare"] = "bare"

    with pytest.raises(ValueError, match="StrayBlock is no ShapeBlock"):
        choice("test_shape.kind")(StrayBlock)
    with pytest.raises(ValueError, match="'nowhere' is no choice of blocks"):
        choice("nowhere")(StrayBlock)
    with pytest.raises(ValueError, match="BareBlock has no docstring"):
        choice("test_shape.kind")(BareBlock)
    with pytest.raises(ValueError, match="NeedyBlock has no default for weight"):
        MoreBlock.of_block("needy")(NeedyBlock)


def test_choices_of_a_configuration_are_what_is_registered() -> None:
    for path, registry in (
        ("energy.form", ENERGIES),
        ("temperature.mode", TEMPERATURES),
        ("environment.encoder", SET_ENCODERS),
    ):
        assert sorted(options(leaves()[path])) == sorted(registry.keys())
    assert set(options(leaves()["environment.source"])) == {"none", *ENVIRONMENTS.keys()}
    assert set(options(leaves()["loss.task"])) <= set(LOSSES.keys())
    assert set(designs()) >= {"grid", "search"}
    with pytest.raises(ConfigError, match=r"design is 'gird', expected one of .*; did you mean 'grid'"):
        validate(SweepBlock, {"name": "a", "base": "minimal", "data": {"synthetic": {}}, "design": "gird"})


def test_every_term_has_a_weight_and_needs_that_are_known() -> None:
    for row in LOSSES:
        assert issubclass(row.cls, LossTerm)
        assert row.cls.weight in leaves(), row.key
        assert row.cls.needs <= {"z_e", *NEEDS}, row.key
    assert [term.key for term in switched_on(ConfigurationBlock().model_dump())] == ["task"]


def test_a_design_is_found_without_being_imported() -> None:
    text = "from harness.config.blocks.design import designs; print(*designs())"
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["add_one_in", "factorial", "grid", "leave_one_out", "path", "search"]


def test_a_term_that_acts_where_nobody_asked_is_refused() -> None:
    class EagerBlock(Block):
        """Acts by default."""

        weight: float = 1.0

    with pytest.raises(ValueError, match=r"weight 1\.0 by default.*expected weight: Weight = 0\.0"):
        LossBlock.of_block("eager")(EagerBlock)
    assert "eager" not in LossBlock.model_fields
