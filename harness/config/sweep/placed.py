"""Whether what a person's files register can be chosen, and whether what they add to a configuration chooses something."""

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import TypeAdapter

from analysis.errors import UserError
from harness.config.blocks.block import Block
from harness.config.blocks.loss import LossBlock, Weight
from harness.config.blocks.paths import leaves, options
from harness.config.blocks.registered import variants_at
from harness.config.sweep.use import loaded, place_of_class
from models.energy import ENERGIES, Energy
from models.losses import LOSSES, LossTerm
from models.registry import CHOICES


def check_placed() -> None:
    """Refuse a loss term whose weight no block has, a class that no block chooses, and the blocks that have neither.

    Raises
    ------
    UserError
        with the file and the line of the class.
    """
    if not loaded():
        return
    for cls, fault in (*_of_terms(), *_of_choices(), *_of_keys()):
        place = place_of_class(cls)
        if place:
            raise UserError(f"{place}: {fault}")


def _of_terms() -> Iterator[tuple[type, str]]:
    weights = set()
    for row in LOSSES:
        path = row.cls.weight
        weights.add(path)
        if path not in leaves() and path not in row.cls.chosen:
            block = path.split(".")[1] if path.count(".") == 2 else row.key
            yield (
                row.cls,
                f"loss term '{row.key}' has the weight {path}, and no configuration has that key: expected a block with "
                f'`weight: Weight = 0.0` under @loss_block("{block}")',
            )
        elif path not in row.cls.chosen and not _of_a_term(path):
            yield (
                row.cls,
                f"loss term '{row.key}' has the weight {path}, which is no weight of a loss term: expected "
                f'loss.{row.key}.weight, and a block with `weight: Weight = 0.0` under @loss_block("{row.key}")',
            )
    for key, info in LossBlock.model_fields.items():
        block_class: Any = info.annotation
        if isinstance(block_class, type) and issubclass(block_class, Block):
            path = f"loss.{key}.weight"
            if not any(weight.startswith(f"loss.{key}.") for weight in weights):
                yield (
                    block_class,
                    f"loss.{key} is the block of no loss term: expected one whose weight is {path}",
                )


def _of_a_term(path: str) -> bool:
    """Whether a path is a number of the block of loss terms or decouplers that may be a weight."""
    weight = TypeAdapter(Weight).json_schema()
    within = path.split(".")[0] in ("loss", "decouple")
    return within and any(adapter.json_schema() == weight for adapter in leaves()[path].adapters.values())


def _of_choices() -> Iterator[tuple[type, str]]:
    for path, registry in CHOICES.items():
        known = set(options(leaves()[path])) if path in leaves() else set()
        for row in registry:
            if row.key not in known:
                yield (
                    row.cls,
                    f"{registry.kind} '{row.key}' can be chosen by nothing: {_expected(path, row.key)}",
                )
        for kind, block in variants_at(path).items():
            if kind not in registry:
                yield block, f"{path}: {kind} chooses no {registry.kind}: expected one registered as '{kind}'"


def _of_keys() -> Iterator[tuple[type, str]]:
    """Loss terms and energies whose constructor does not take what their block gives by name."""
    for row in LOSSES:
        term: Any = row.cls
        block, _, name = term.weight.rpartition(".")
        inside = [path.removeprefix(f"{block}.") for path in leaves() if path.startswith(f"{block}.")]
        keys = {*inside, *term.takes} - {"weight", *(path.rpartition(".")[2] for path in term.chosen)}
        if name == "weight" and _default(term, LossTerm):
            yield from _not_taken(f"loss term '{row.key}'", term, keys)
    for kind, variant in variants_at(ENERGIES.path).items():
        energy: Any = ENERGIES.row(kind).cls if kind in ENERGIES else None
        if energy is not None and _default(energy, Energy):
            yield from _not_taken(f"energy form '{kind}'", energy, set(variant.model_fields) - {"form"})


def _default(cls: type, base: type) -> bool:
    """Whether a class has the `arguments` of its base."""
    above = cls.__mro__[: cls.__mro__.index(base)]
    return not any("arguments" in vars(each) for each in above)


def _not_taken(what: str, cls: type, keys: Collection[str]) -> Iterator[tuple[type, str]]:
    signature = inspect.signature(cls)
    try:
        signature.bind(**dict.fromkeys(keys))
    except TypeError as error:
        taken = ", ".join(signature.parameters)
        yield (
            cls,
            f"{what} is built with ({', '.join(sorted(keys))}), and its constructor takes ({taken}): {error}",
        )


def _expected(path: str, key: str) -> str:
    if not variants_at(path):
        return f"what {path} may be is no open choice"
    name = path.rpartition(".")[2]
    return f'expected a block with `{name}: Literal["{key}"]` under @choice("{path}")'
