"""A choice is a registry key that names a class; every row carries its equation, shapes and source."""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

T = TypeVar("T")
Settings = Mapping[str, Any]
"""A resolved configuration as plain nested data."""
PLACES = ("training", "prediction_known", "prediction_unseen")
"""Where a mechanism may act: on the gradient of a step, on predictions of trained and of unseen cell lines."""
EVERYWHERE, TRAINING = frozenset(PLACES), frozenset(PLACES[:1])
INPUTS = ("enhancer", "promoter", "z_i", "u", "support", "labels", "v", "cell_line", "z_e", "r", "temperature", "place",
          "shallow", "gradients", "epoch")  # fmt: skip
"""What a mechanism that is no loss term may read. In a source of z_E, `z_i` and `u` are those of the support pairs."""


@dataclass(frozen=True)
class Row:
    """One mechanism: `id` (M01..), registry `key`, human `name`, `equation`, tensor `shapes`, `source`.

    `mechanism` is its key in the catalogue of mechanisms, where that is another one than `key`.
    """

    id: str
    key: str
    name: str
    equation: str
    shapes: str
    source: str
    cls: type[Any]
    mechanism: str = ""


class Registry(Generic[T]):
    """Maps keys to classes below `base` and builds them with every argument checked against the constructor.

    `path`: dotted path of the setting that chooses a row, empty where no single setting does; `group`: parameter group
    of what is built; `beside`: settings without which the choice means nothing; `neutral`: the row that takes the place
    of another one in a twin of the audit; `plain`: what the setting is in a configuration without the chosen row (`none`,
    or the plainest row). Raises KeyError for a key that is not registered (the sentence names the nearest one), and
    TypeError for an argument that the class does not take, or one that it needs and did not get.
    """

    def __init__(
        self,
        kind: str,
        base: type[Any],
        *,
        path: str = "",
        group: str = "",
        beside: Settings | None = None,
        neutral: str = "",
        plain: str = "",
    ) -> None:
        self.kind, self.base, self.path, self.group = kind, base, path, group
        self.neutral, self.plain = neutral, plain
        self.beside: Settings = beside or {}
        self._rows: dict[str, Row] = {}
        if path:
            CHOICES[path] = self

    def register(
        self, key: str, *, id: str, name: str, equation: str, shapes: str, source: str, mechanism: str = ""
    ) -> Callable[[type[T]], type[T]]:
        """Class decorator: enter the class under `key`."""
        texts = {"id": id, "name": name, "equation": equation, "shapes": shapes, "source": source}
        empty = [field for field, text in texts.items() if not text.strip()]
        if empty:
            raise ValueError(f"{self.kind} '{key}' is registered without {', '.join(empty)}")

        def enter(cls: type[T]) -> type[T]:
            if key in self._rows:
                raise ValueError(f"{self.kind} '{key}' is registered twice")
            if not (cls.__doc__ or "").strip():
                raise ValueError(f"{self.kind} '{key}' has no docstring")
            self._check(key, cls)
            self._rows[key] = Row(key=key, cls=cls, mechanism=mechanism or key, **texts)
            return cls

        return enter

    def _check(self, key: str, cls: type[Any]) -> None:
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            raise ValueError(
                f"{self.kind} '{key}' is no subclass of {self.base.__name__}, which it has to be"
            )
        what = f"{self.kind} '{key}' ({cls.__name__})"
        if missing := undeclared(cls):
            raise ValueError(f"{what} does not declare {', '.join(missing)}")
        for fault in mistyped(cls):
            raise ValueError(f"{what} declares {fault}")

    def row(self, key: str) -> Row:
        if key not in self._rows:
            close = difflib.get_close_matches(key, self._rows, n=1, cutoff=0.4)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise KeyError(f"{self.kind} '{key}' is not one of {', '.join(sorted(self._rows))}{hint}")
        return self._rows[key]

    def build(self, key: str, **arguments: object) -> T:
        """Construct the class of `key`; arguments that it does not name are errors, never dropped."""
        cls = self.row(key).cls
        try:
            built: T = cls(**arguments)
        except TypeError:  # whether of these arguments is asked now only, since it takes as long as building
            signature = inspect.signature(cls)
            try:
                signature.bind(**arguments)
            except TypeError as error:
                accepted = ", ".join(signature.parameters)
                raise TypeError(f"{self.kind} '{key}': {error}; it takes ({accepted})") from None
            raise
        return built

    def chosen(self, settings: Settings) -> str:
        """The key at `path`; "none" where the settings have none (a variant of a block without it)."""
        block, key = self._block(settings)
        return str(block.get(key, "none"))

    def beside_choice(self, settings: Settings) -> dict[str, Any]:
        """The settings that stand beside the choice in its block."""
        block, key = self._block(settings)
        return {name: value for name, value in block.items() if name != key}

    def choose(self, settings: Settings, sizes: Any) -> T:
        """Build the row that the settings choose from its class's `arguments(settings, sizes)`."""
        key = self.chosen(settings)
        cls: Any = self.row(key).cls
        return self.build(key, **cls.arguments(settings, sizes))

    def _block(self, settings: Settings) -> tuple[Settings, str]:
        *blocks, key = self.path.split(".")
        for name in blocks:
            settings = settings.get(name, {})
        return settings, key

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def keys(self) -> list[str]:
        return list(self._rows)


CHOICES: dict[str, Registry[Any]] = {}
"""Path of a setting that chooses -> the registry of what it may choose."""


def undeclared(cls: type) -> list[str]:
    """What the bases of a class leave to it and it does not have: class variables without a value, abstract methods."""
    bases = [base for base in cls.__mro__ if base is not object]
    there = {name for base in bases for name in vars(base)}
    variables = {
        name
        for base in bases
        for name, annotation in inspect.get_annotations(base).items()
        if _of_class(annotation) and name not in there
    }
    methods = {
        name for name, member in inspect.getmembers(cls) if inspect.isfunction(member) and _abstract(member)
    }
    return sorted(variables | methods)


def mistyped(cls: type) -> Iterator[str]:
    """Of the class variables that the bases of a class annotate: `name = value, expected a TYPE` where it has another
    type. What a set, mapping or tuple holds is looked at where it is plain words."""
    there = {name for base in cls.__mro__ for name in vars(base)}
    for base in cls.__mro__:
        for name, annotation in inspect.get_annotations(base).items():
            if not _of_class(annotation) or name not in there:
                continue
            (wanted,), value = get_args(annotation), getattr(cls, name)
            kind = get_origin(wanted) or wanted
            if not isinstance(kind, type):
                continue
            fits = isinstance(value, (int, float) if kind is float else kind)
            words = kind in (frozenset, tuple) and get_args(wanted)[0] is str
            if not fits or (kind is float and isinstance(value, bool)):
                yield f"{name} = {value!r}, expected a {kind.__name__}"
            elif words and not all(isinstance(each, str) for each in value):
                yield f"{name} = {value!r}, expected a {kind.__name__} of words"


def _abstract(method: Callable[..., Any]) -> bool:
    return bool(vars(method).get("__isabstractmethod__", False))


def discover(package: str) -> None:
    """Import every module below `package` in order of name, so that all that registers itself there is entered."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _of_class(annotation: Any) -> bool:
    origin: Any = get_origin(annotation)
    return origin is ClassVar
