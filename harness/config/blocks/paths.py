"""Dotted paths into the typed configuration: which exist, in which variant of a block, and what they take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from analysis.errors import nearest
from analysis.rules import LIMITS
from harness.config.blocks.explain import ConfigError, describe_problem
from harness.config.blocks.registered import Names, VariantBlock, key_of, variants_of, version
from harness.config.blocks.trial import ConfigurationBlock


@dataclass(frozen=True)
class Leaf:
    """One settable value of the configuration.

    `discriminator` is the path that decides whether this one exists (`energy.form` for `energy.w`), or None;
    `adapters` maps each variant that has the path (None where it always exists) to the type of its value.
    """

    path: str
    discriminator: str | None
    adapters: dict[str | None, TypeAdapter[Any]] = field(repr=False)
    fields: dict[str | None, FieldInfo] = field(repr=False)

    @property
    def variants(self) -> frozenset[str]:
        """Variants of the block that have this path; empty when it always exists."""
        return frozenset(tag for tag in self.adapters if tag is not None)

    def check(self, value: Any) -> Any:
        """The validated value; ConfigError when no variant accepts it."""
        problem: ValidationError | None = None
        for adapter in self.adapters.values():
            try:
                return adapter.validate_python(value)
            except ValidationError as error:
                problem = error
        assert problem is not None
        raise ConfigError(self.path, describe_problem(self.path, problem.errors()[0]))


def discriminators() -> dict[str, tuple[str, str]]:
    """Blocks that come in variants: block name -> (its discriminating key, the default's tag)."""
    keys = {}
    for name, info in ConfigurationBlock.model_fields.items():
        if variants_of(info.annotation):
            key = key_of(cast(type[VariantBlock], info.annotation))
            keys[name] = (key, str(getattr(info.default, key)))
    return keys


def leaves() -> Mapping[str, Leaf]:
    """Every fixed path of a trial's configuration (rule limits, `limits.RULE`, are open and not listed)."""
    return _leaves(version())


@cache
def _leaves(registered: int) -> Mapping[str, Leaf]:
    collected: dict[str, Leaf] = {}
    for path, discriminator, tag, info in _walk(ConfigurationBlock, "", None, None):
        leaf = collected.setdefault(path, Leaf(path, discriminator, {}, {}))
        if path == discriminator:
            earlier = leaf.fields[None].annotation if leaf.fields else None
            both = tuple(dict.fromkeys([*get_args(earlier), *get_args(info.annotation)]))
            merged = FieldInfo(annotation=Literal[both])  # type: ignore[arg-type]
            leaf.fields[None], leaf.adapters[None] = merged, _adapter(merged)
        else:
            leaf.fields[tag], leaf.adapters[tag] = info, _adapter(info)
    return collected


def options(leaf: Leaf) -> list[str]:
    """The values of a path that takes one of a few names; empty for another path."""
    names: list[str] = []
    for info in leaf.fields.values():
        if get_origin(info.annotation) is Literal:
            names += get_args(info.annotation)
        names += [name for mark in info.metadata if isinstance(mark, Names) for name in mark.known()]
    return list(dict.fromkeys(names))


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested blocks and dotted keys alike as one level of dotted paths (empty blocks vanish)."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        path = prefix + key
        inner = flatten(value, path + ".") if isinstance(value, Mapping) else {path: value}
        for dotted, leaf in inner.items():
            if dotted in flat:
                raise ConfigError(dotted, f"'{dotted}' is given twice")
            flat[dotted] = leaf
    return flat


def find(path: str) -> Leaf:
    """The leaf of `path`.

    Raises
    ------
    ConfigError
        for a path that is a whole block, or that no configuration has; the nearest valid path is named.
    """
    if path in leaves():
        return leaves()[path]
    block, _, rule = path.partition(".")
    if block == "limits" and rule:
        if rule not in LIMITS:
            known = f"({', '.join(LIMITS)}){nearest(rule, LIMITS)}"
            raise ConfigError(path, f"'{rule}' is not a limit of a warning rule {known}")
        return Leaf(path, None, {None: TypeAdapter(float, config=_STRICT)}, {})
    inside = [known for known in leaves() if known.startswith(path + ".")]
    if inside:
        raise ConfigError(path, f"'{path}' is a block, not a value; name one of {', '.join(inside)}")
    raise ConfigError(path, f"'{path}' is not a path of the configuration{nearest(path, leaves())}")


_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    return TypeAdapter(annotation, config=_STRICT)


def _walk(
    model: type[BaseModel], prefix: str, discriminator: str | None, tag: str | None
) -> Iterator[tuple[str, str | None, str | None, FieldInfo]]:
    for name, info in model.model_fields.items():
        path = prefix + name
        annotation = info.annotation
        variants = variants_of(annotation)
        if variants:
            key = key_of(cast(type[VariantBlock], annotation))
            for kind, variant in variants.items():
                yield from _walk(variant, path + ".", f"{path}.{key}", kind)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _walk(annotation, path + ".", discriminator, tag)
        elif path != "limits":
            yield path, discriminator, tag, info
