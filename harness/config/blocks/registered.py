"""Choices that are open: what may stand at a path is what is registered there, by the project or by a person's file."""

from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from harness.config.blocks.block import Before, Block

AnyBlock = TypeVar("AnyBlock", bound=Block)


class _Register:
    """Path of a choice -> the base of its blocks, and -> kind -> block; `version` grows with every change."""

    def __init__(self) -> None:
        self.bases: dict[str, type[VariantBlock]] = {}
        self.variants: dict[str, dict[str, type[VariantBlock]]] = {}
        self.version = 0

    def changed(self, block: type[Block]) -> None:
        """Make every block that holds `block` anew, from the inside out."""
        self.version += 1
        for holder in _below(Block):
            if any(part is block for info in holder.model_fields.values() for part in _parts(info)):
                holder.model_rebuild(force=True)
                self.changed(holder)


_REGISTER = _Register()


class VariantBlock(Block):
    """A block that comes in variants, told apart by one key. A base class says the `path` of that key; a variant is a
    subclass of it with a Literal of one name at the key, which `choice` enters. A field whose type is the base takes
    any variant that is registered."""

    path: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "path" in cls.__dict__:
            _REGISTER.bases[cls.path] = cls

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        known = _REGISTER.variants.get(cls.path) if "path" in cls.__dict__ else None
        if not known:
            return handler(source)
        choices = {kind: handler.generate_schema(variant) for kind, variant in known.items()}
        return core_schema.tagged_union_schema(choices, discriminator=key_of(cls))


def choice(path: str) -> Callable[[type[AnyBlock]], type[AnyBlock]]:
    """Class decorator: enter a block as what `path` may be; the name is the one of its Literal there.

    Raises
    ------
    ValueError
        for a path that is no choice of blocks, and a block without docstring, without a Literal of one name at the
        path's key, of another base, or of a name that is registered already.
    """

    def enter(cls: type[AnyBlock]) -> type[AnyBlock]:
        base = _REGISTER.bases.get(path)
        if base is None:
            raise ValueError(f"'{path}' is no choice of blocks; expected one of {', '.join(_REGISTER.bases)}")
        if not issubclass(cls, base):
            raise ValueError(f"{cls.__name__} is no {base.__name__}, which a block of {path} has to be")
        key = key_of(base)
        names = get_args(cls.model_fields[key].annotation)
        if len(names) != 1:
            raise ValueError(f'{cls.__name__} does not declare {key}: expected {key}: Literal["NAME"]')
        _documented(cls)
        _check_defaults(cls)
        known = _REGISTER.variants.setdefault(path, {})
        if names[0] in known:
            raise ValueError(f"{path}: {names[0]} is registered already")
        known[names[0]] = cls
        _REGISTER.changed(base)
        return cls

    return enter


def variants_of(block: object) -> dict[str, type[VariantBlock]]:
    """Kind -> block of the variants of a base class, in the order in which they were registered; empty for any other
    type."""
    is_base = isinstance(block, type) and issubclass(block, VariantBlock) and "path" in block.__dict__
    return dict(_REGISTER.variants.get(block.path, {})) if is_base else {}  # type: ignore[attr-defined]


def variants_at(path: str) -> dict[str, type[VariantBlock]]:
    """Kind -> block of what a path may be; empty where no blocks belong to it."""
    return dict(_REGISTER.variants.get(path, {}))


def key_of(base: type[VariantBlock]) -> str:
    """The key that tells the variants of a base class apart."""
    return base.path.rpartition(".")[2]


class OpenBlock(Block):
    """A block that takes further keys."""

    @classmethod
    def extend(
        cls, key: str, annotation: Any, default: Any, description: str, *, always: bool = False
    ) -> None:
        """Add the key. At its default it is no part of any configuration's identity, unless it was `always` there.

        Raises
        ------
        ValueError
            for a key that the block has.
        """
        if key in cls.model_fields:
            raise ValueError(f"the key '{key}' of {cls.__name__} is registered already")
        plain = default.model_dump(mode="json") if isinstance(default, Block) else default
        marked: Any = annotation if always else Annotated[annotation, Before(plain)]
        info = FieldInfo.from_annotated_attribute(marked, default)
        info.description = description
        cls.model_fields[key] = info
        cls.model_rebuild(force=True)
        _REGISTER.changed(cls)

    @classmethod
    def of_block(cls, key: str, *, always: bool = False) -> Callable[[type[AnyBlock]], type[AnyBlock]]:
        """Class decorator: the block of the further key `key`, whose every field has a default."""

        def enter(block: type[AnyBlock]) -> type[AnyBlock]:
            lacking = [name for name, info in block.model_fields.items() if info.is_required()]
            if lacking:
                raise ValueError(f"{block.__name__} has no default for {', '.join(lacking)}")
            _check_defaults(block)
            weight = block.model_fields.get("weight")
            if weight is not None and weight.default != 0:
                raise ValueError(
                    f"{block.__name__} has the weight {weight.default} by default, so that it acts where nobody asked for "
                    "it: expected weight: Weight = 0.0"
                )
            cls.extend(key, block, block(), _documented(block), always=always)
            return block

        return enter


class Names:
    """Mark of a word that is one of the names that are registered when it is checked: `Annotated[str, Names(f)]`."""

    def __init__(self, known: Callable[[], Collection[str]]) -> None:
        self.known = known

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"enum": list(self.known()), "type": "string"}

    def _checked(self, value: Any) -> str:
        known = list(self.known())
        if value not in known:
            raise PydanticKnownError("literal_error", {"expected": ", ".join(f"'{name}'" for name in known)})
        return str(value)


def version() -> int:
    """A number that is another one whenever a block or key was registered."""
    return _REGISTER.version


def _check_defaults(block: type[Block]) -> None:
    """Raise ValueError for a default that the block would not take from a person."""
    defaults = {
        name: info.get_default(call_default_factory=True) for name, info in block.model_fields.items()
    }
    plain = {
        name: default
        for name, default in defaults.items()
        if not block.model_fields[name].is_required() and not isinstance(default, Block)
    }
    try:
        block.model_validate(plain)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else ""
            if name in plain:
                wanted = problem["msg"].removeprefix("Input should be ")
                raise ValueError(
                    f"{block.__name__} has the default {name} = {plain[name]!r}, expected {wanted}"
                ) from None


def _documented(block: type[Block]) -> str:
    text = (block.__dict__.get("__doc__") or "").strip()
    if not text:
        raise ValueError(f"{block.__name__} has no docstring")
    return text


def _below(block: type[Block]) -> Iterator[type[Block]]:
    for subclass in block.__subclasses__():
        yield subclass
        yield from _below(subclass)


def _parts(info: FieldInfo) -> Iterator[Any]:
    yield info.annotation
    yield from get_args(info.annotation)
