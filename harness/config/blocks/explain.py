"""What pydantic found wrong, as one sentence with a dotted path and the nearest valid name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from analysis.errors import UserError, nearest
from harness.config.blocks.block import Block
from harness.config.blocks.registered import variants_of

Model = TypeVar("Model", bound=BaseModel)
StoredBlock = TypeVar("StoredBlock", bound=Block)

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a word",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a block of keys",
    "model_attributes": "a block of keys",
    "path": "a path",
}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class ConfigError(UserError):
    """A configuration that cannot be: `path` is the dotted path at fault, the text is one sentence."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


def validate(model: type[Model], data: Mapping[str, Any]) -> Model:
    """`model` built from `data`; the first mistake as a ConfigError."""
    return _explained(model, model.model_validate, data)


def validate_stored(model: type[StoredBlock], content: Mapping[str, Any]) -> StoredBlock:
    """`model` from content that was stored, maybe before some of its fields existed; the first mistake as a
    ConfigError."""
    return _explained(model, model.stored, content)


def _explained(model: type[Model], build: Callable[[Any], Model], data: Mapping[str, Any]) -> Model:
    try:
        return build(dict(data))
    except ValidationError as error:
        problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
    # A key that is missing may be one that is there, misspelt: which says more.
    if problems[0]["type"] == "missing":
        beside = problems[0]["loc"][:-1]
        problems.sort(key=lambda one: (one["type"], one["loc"][:-1]) != ("extra_forbidden", beside))
    path, owner = locate(model, problems[0]["loc"])
    here = [problem for problem in problems if locate(model, problem["loc"])[0] == path]
    # A value that may have several types is complained about once for each: a range tells more than a type.
    ranges = [problem for problem in here if not problem["type"].endswith("_type")]
    types = [_type(problem) for problem in here if _type(problem)]
    if not ranges and len(types) > 1:
        raise ConfigError(
            path, f"{path} is {show(here[0]['input'])}, expected {' or '.join(dict.fromkeys(types))}"
        )
    raise ConfigError(path, describe_problem(path, (ranges or here)[0], owner))


def locate(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, type[BaseModel] | None]:
    """Dotted path of a pydantic location, and the block that owns its last key.

    Pydantic enters the tag of a discriminated block, and the type that it tried of several, into the location; the
    path leaves them out.
    """
    keys: list[str] = []
    owner: type[BaseModel] | None = model
    inside: type[BaseModel] | None = model
    variants: dict[str, type[BaseModel]] = {}
    tags: set[str] = set()
    open_keys = False
    for element in loc:
        if element in tags:
            tags = set()
            continue
        if variants and element in variants:
            inside, variants = variants[str(element)], {}
            continue
        if isinstance(element, int):
            keys.append(str(element))
            continue
        if inside is None and not open_keys:
            break
        keys.append(element)
        owner = inside
        info = inside.model_fields.get(element) if inside is not None else None
        inside, variants, tags = None, {}, set()
        if info is None:
            continue
        open_keys = get_origin(info.annotation) is dict
        blocks = list(_blocks(info.annotation))
        variants = {**variants_of(info.annotation)}
        marks = [mark for part in get_args(info.annotation) for mark in get_args(part)]
        tags = {mark.tag for mark in marks if isinstance(mark, Tag)}
        if blocks and not variants:
            inside = blocks[0]
    return ".".join(keys), owner


def describe_problem(path: str, problem: Mapping[str, Any], owner: type[BaseModel] | None = None) -> str:
    """One sentence for one entry of `ValidationError.errors()`."""
    kind, value, context = problem["type"], problem.get("input"), problem.get("ctx", {})
    key = path.rsplit(".", 1)[-1]
    block = path.rpartition(".")[0]
    if kind == "extra_forbidden":
        valid = list(owner.model_fields) if owner is not None else []
        place = f"'{block}'" if block else "this file"
        return f"'{key}' is not a key of {place} ({', '.join(valid)}){nearest(key, valid)}"
    if kind == "missing":
        return f"'{path}' is needed and is not given"
    if kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            tagged = str(context["discriminator"]).strip("'")
            path, value = f"{path}.{tagged}", dict(value or {}).get(tagged, context["tag"])
            expected = context["expected_tags"]
        else:
            expected = context["expected"].replace(" or ", ", ")
        choices = [word.strip().strip("'") for word in expected.split(",")]
        return f"{path} is {show(value)}, expected one of {', '.join(choices)}{nearest(str(value), choices)}"
    if kind == "union_tag_not_found":
        return f"{path} needs its key {context['discriminator']}"
    for bound, words in BOUNDS.items():
        if bound in context and kind.startswith(("greater", "less")):
            return f"{path} is {show(value)}, expected {words} {context[bound]}"
    if kind == "finite_number":
        return f"{path} is {show(value)}, expected a finite number"
    if kind == "too_short":
        return f"{path} has {context['actual_length']} entries, expected at least {context['min_length']}"
    if kind == "too_long":
        return f"{path} has {context['actual_length']} entries, expected at most {context['max_length']}"
    if kind == "string_pattern_mismatch":
        return f"{path} is {show(value)}, expected letters, digits, '.', '_' and '-' alone"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("int_from_float", "int_parsing"):
        return f"{path} is {show(value)}, expected a whole number"
    if _type(problem):
        return f"{path} is {show(value)}, expected {_type(problem)}"
    return f"{path} is {show(value)}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _type(problem: Mapping[str, Any]) -> str:
    return TYPES.get(problem["type"].removesuffix("_type").removesuffix("_parsing"), "")


def show(value: object) -> str:
    """A value as a person wrote it in YAML, shortened."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _blocks(annotation: object) -> Iterator[type[BaseModel]]:
    """The blocks that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _blocks(part)
