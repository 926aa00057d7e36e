"""What one swept path may take: the entries under `space:` and the condition under which each exists."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field, model_validator

from harness.config.blocks.block import Block

Scalar = bool | int | float | str | None
"""A value that a search can index: no list, no block."""
Condition = dict[str, Scalar | list[Scalar]]
"""Path or named choice -> the value, or the list of values, for which the entry exists."""


MISSING: Any = object()
"""What is drawn where no draw fits."""
LARGEST = 2**53
"""Largest whole number that a search can draw: beyond it, samplers' real numbers skip some."""


class DistributionBlock(Block, ABC):
    """One entry of a space. `when` lists what must hold for it to exist; all of it must hold."""

    when: Condition = Field(default_factory=dict)
    """Path or named choice -> the value, or the list of values, for which the entry exists."""

    @abstractmethod
    def suggest(self, trial: optuna.trial.Trial, name: str) -> Any:
        """Draw one value from the search's own sampler."""

    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """The same for a study that is told of a draw instead of making it."""

    @abstractmethod
    def values(self) -> Sequence[Any] | None:
        """Every value in order, or None for a continuous range."""

    def ends(self) -> list[Any]:
        """The values whose validity implies that of all: every one, or both ends of a range."""
        return list(self.values() or [])

    @abstractmethod
    def text(self) -> str:
        """The distribution as a person reads it in a plan."""

    def changes(self, name: str, value: Any) -> Mapping[str, Any]:
        """What drawing `value` sets: dotted path -> value."""
        return {name: value}

    def paths(self, name: str) -> set[str]:
        """Every path that some value of the entry sets."""
        return {name}

    def accepts(self, value: object) -> bool:
        """Whether the entry can take `value` (a finite one only: ranges cannot be conditions)."""
        return any(same(value, known) for known in self.values() or [])

    def drawn(self, name: str, settings: Mapping[str, Any]) -> Any:
        """The draw that gives the values of `settings` (dotted path -> value); MISSING when none does."""
        if name not in settings:
            return MISSING
        return next((v for v in self.values() or [] if same(v, settings[name])), MISSING)


class ListedBlock(DistributionBlock):
    """One of a list of values."""

    @abstractmethod
    def values(self) -> list[Any]: ...

    def suggest(self, trial: optuna.trial.Trial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values())

    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(self.values())


class ChoiceBlock(ListedBlock):
    """One of a list of values; or of named options, each of which sets several paths at once."""

    choice: (
        Annotated[list[Scalar], Field(min_length=1)]
        | Annotated[dict[str, dict[str, Scalar]], Field(min_length=1)]
    )
    """A list of values, or option name -> {path: value} (then the entry's key is a name of your own)."""

    def values(self) -> list[Any]:
        return list(self.choice)

    @property
    def options(self) -> Mapping[str, Mapping[str, Scalar]] | None:
        """Option name -> paths it sets, or None when this is a plain list of values."""
        return self.choice if isinstance(self.choice, dict) else None

    def changes(self, name: str, value: Any) -> Mapping[str, Any]:
        return {name: value} if self.options is None else self.options[value]

    def paths(self, name: str) -> set[str]:
        if self.options is None:
            return {name}
        return {path for values in self.options.values() for path in values}

    def drawn(self, name: str, settings: Mapping[str, Any]) -> Any:
        options = self.options
        if options is None:
            return super().drawn(name, settings)
        return best_fit(options, settings)

    def text(self) -> str:
        return " | ".join(word(value) for value in self.choice)


class GridBlock(ListedBlock):
    """One of a list of values, all of which a grid design visits (a search treats it as `choice`)."""

    grid: list[Scalar] = Field(min_length=1)

    def values(self) -> list[Any]:
        return list(self.grid)

    def text(self) -> str:
        return "grid " + ", ".join(word(value) for value in self.grid)


class IntervalBlock(DistributionBlock):
    """A real number between two ends, evenly, or evenly in its logarithm (`log`)."""

    log: ClassVar[bool] = False

    @abstractmethod
    def ends(self) -> list[float]: ...

    def suggest(self, trial: optuna.trial.Trial, name: str) -> float:
        low, high = self.ends()
        return float(trial.suggest_float(name, low, high, log=self.log))

    def distribution(self) -> BaseDistribution:
        low, high = self.ends()
        return FloatDistribution(low, high, log=self.log)

    def values(self) -> None:
        return None

    def drawn(self, name: str, settings: Mapping[str, Any]) -> Any:
        """The setting as a real number, or MISSING when it lies outside."""
        value, (low, high) = settings.get(name, MISSING), self.ends()
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if real and low <= value <= high else MISSING


class UniformBlock(IntervalBlock):
    """A real number between two ends, evenly."""

    uniform: Annotated[list[float], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _ordered(self) -> "UniformBlock":
        low, high = self.uniform
        if not low < high:
            raise ValueError(f"uniform [{low:g}, {high:g}] needs its first end below its second")
        return self

    def ends(self) -> list[float]:
        return list(self.uniform)

    def text(self) -> str:
        return f"uniform {self.uniform[0]:g} .. {self.uniform[1]:g}"


class LogUniformBlock(IntervalBlock):
    """A positive real number between two ends, evenly in its logarithm."""

    log: ClassVar[bool] = True
    loguniform: Annotated[list[float], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _ordered(self) -> "LogUniformBlock":
        low, high = self.loguniform
        if not 0.0 < low < high:
            raise ValueError(
                f"loguniform [{low:g}, {high:g}] needs a first end above 0 and below its second "
                "(for 'absent', which is 0, use a named choice and when)"
            )
        return self

    def ends(self) -> list[float]:
        return list(self.loguniform)

    def text(self) -> str:
        return f"loguniform {self.loguniform[0]:g} .. {self.loguniform[1]:g}"


class IntBlock(DistributionBlock):
    """A whole number between two ends, both included."""

    int: Annotated[list[int], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _ordered(self) -> "IntBlock":
        low, high = self.int
        if low > high:
            raise ValueError(f"int [{low}, {high}] needs its first end at or below its second")
        if max(-low, high) > LARGEST:
            raise ValueError(f"int: whole numbers of a search lie between -{LARGEST} and {LARGEST}")
        return self

    def suggest(self, trial: optuna.trial.Trial, name: str) -> Any:
        return trial.suggest_int(name, self.int[0], self.int[1])

    def distribution(self) -> BaseDistribution:
        return IntDistribution(self.int[0], self.int[1])

    def values(self) -> Sequence[Any]:
        return range(self.int[0], self.int[1] + 1)

    def ends(self) -> list[Any]:
        return list(self.int)

    def accepts(self, value: object) -> bool:
        return type(value).__name__ == "int" and self.int[0] <= value <= self.int[1]  # type: ignore[operator]

    def drawn(self, name: str, settings: Mapping[str, Any]) -> Any:
        value = settings.get(name, MISSING)
        return value if self.accepts(value) else MISSING

    def text(self) -> str:
        return f"int {self.int[0]} .. {self.int[1]}"


KINDS: dict[str, type[DistributionBlock]] = {
    "choice": ChoiceBlock,
    "uniform": UniformBlock,
    "loguniform": LogUniformBlock,
    "int": IntBlock,
    "grid": GridBlock,
}


def best_fit(options: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]) -> Any:
    """Of the named options whose values `settings` has, the one that says most; MISSING when none fits."""
    fitting = [
        option
        for option, values in options.items()
        if all(path in settings and same(settings[path], value) for path, value in values.items())
    ]
    return max(fitting, key=lambda option: len(options[option]), default=MISSING)


def same(one: object, other: object) -> bool:
    """Equality of YAML values: 1 and 1.0 are the same, 1 and true are not, NaN is itself."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return one == other


def word(value: object) -> str:
    """A value as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
