"""What leave_one_out and add_one_in have in common: arms that differ from a base by one mechanism, and their placebos."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from analysis.errors import nearest
from harness.config.blocks.design import Arm, Basis, Changes, DesignBlock, Enumerated
from harness.config.blocks.distinct import Distinct
from harness.config.blocks.explain import ConfigError
from harness.design.removal import Switched
from harness.mechanisms.mechanism import Mechanism

Placebo = Literal["streams", "capacity"]
PLACEBO = "placebo"
"""What the names of the A/A placebo's random streams have more than those of the base."""
NOT_HELD = "capacity not held"
"""What is said of an arm whose mechanism has no placebo of equal capacity."""


class AblationBlock(DesignBlock):
    """Of which mechanisms there are arms, and which placebos stand beside them."""

    only: Annotated[list[str], Distinct] = Field(default_factory=list)
    """Keys of mechanisms (`python -m harness.mechanisms`); all of them when empty."""
    placebos: Annotated[list[Placebo], Distinct] = Field(default_factory=lambda: list(get_args(Placebo)))
    """streams: the base again under other random numbers (A/A); capacity: each mechanism that has one on an input in random
    order."""


class Ablation(Enumerated):
    """A base, one arm per mechanism that is exchanged, the base again under other random streams, and each mechanism with
    a permuted input where it has one."""

    options: ClassVar[type[DesignBlock]] = AblationBlock
    ablates = True
    folds = "each cell line"
    family: ClassVar[str]
    """Of the arms that one mechanism makes."""
    moves: ClassVar[str]
    """What a mechanism does with those that go or come along, as a word."""

    def needs(self, space: Mapping[str, Any]) -> str:
        return (
            "exchanges whole mechanisms and varies no key: leave space out, or use design: factorial"
            if space
            else ""
        )

    @abstractmethod
    def exchanges(self, basis: Basis) -> Iterable[Switched | tuple[Mechanism, str]]:
        """For each mechanism: the arm, or (mechanism, why there is none)."""

    @abstractmethod
    def nothing(self, basis: Basis) -> str:
        """What is wrong where no mechanism can be exchanged."""

    @abstractmethod
    def called(self, basis: Basis, names: str) -> str:
        """The name of an arm."""

    @abstractmethod
    def held(self, exchange: Switched) -> Changes:
        """The changes of the arm in which the mechanism is there."""

    def arms(self, basis: Basis) -> list[Arm]:
        options: AblationBlock = basis.options
        base = basis.compose({})
        arms = [Arm({}, self.base_name(basis), "base")]
        if "streams" in options.placebos:
            if base.streams.endswith(PLACEBO):
                raise ConfigError(
                    "streams",
                    f"streams: '{base.streams}' is what an A/A placebo is called; expected a word that does not end in "
                    f"{PLACEBO}, or design.placebos without streams",
                )
            note = "how far the same configuration is from itself"
            streams = {"streams": f"{base.streams}{PLACEBO}"}
            arms.append(Arm(streams, f"{arms[0].name}, other streams", "A/A placebo", note=note))
        for group in self._alike(basis):
            first = group[0]
            keys = [each.mechanism.key for each in group]
            along = tuple(key for key in first.along if key not in keys)
            held = "capacity" in options.placebos and any(each.mechanism.permutes for each in group)
            said = [f"{', '.join(first.instead)} in its place"] if first.instead else []
            said += [] if held else [NOT_HELD]
            arms.append(
                Arm(
                    first.changes,
                    self.called(basis, ", ".join(keys)),
                    self.family,
                    along,
                    note="; ".join(said),
                    mechanism=", ".join(keys),
                )
            )
        for exchange in self._chosen(basis) if "capacity" in options.placebos else ():
            key, permuted = exchange.mechanism.key, exchange.mechanism.permutes
            if permuted and key not in base.permuted:
                changes = {**self.held(exchange), "permuted": [*base.permuted, key]}
                name = f"{key} on permuted {permuted}"
                arms.append(
                    Arm(
                        changes,
                        name,
                        "capacity placebo",
                        note="its parameters and weight, and nothing to learn from",
                        mechanism=key,
                    )
                )
        return arms

    def base_name(self, basis: Basis) -> str:
        """What the base is called."""
        return "base"

    def lines(self, basis: Basis) -> list[str]:
        said = [
            f"{arm.mechanism}: {self.moves} {', '.join(arm.along)} with it"
            for arm in self.arms(basis)
            if arm.family == self.family and arm.along
        ]
        said += [f"{mechanism.key} stays: {reason}" for mechanism, reason in self._kept(basis)]
        said += self._unheld(basis) if "capacity" in basis.options.placebos else []
        return [
            *said,
            "weights and all other settings are the same in every arm: nothing is tuned anew for it",
        ]

    def words(self, sampler: str) -> str:
        return f"one arm per mechanism ({self.family}), and placebos"

    def _chosen(self, basis: Basis) -> list[Switched]:
        """The arms that are asked for; ConfigError for a mechanism that has none."""
        every = list(self.exchanges(basis))
        able = {each.mechanism.key: each for each in every if isinstance(each, Switched)}
        reasons = {each[0].key: each[1] for each in every if isinstance(each, tuple)}
        if not able:
            why = "".join(f"; {key} stays: {reason}" for key, reason in reasons.items())
            raise ConfigError("design", f"{self.nothing(basis)}{why}")
        for position, key in enumerate(basis.options.only):
            if key not in able:
                why = reasons.get(key) or f"there is none of {', '.join(able)}{nearest(key, able)}"
                raise ConfigError(f"design.only.{position}", f"only: '{key}': {why}")
        return [each for key, each in able.items() if not basis.options.only or key in basis.options.only]

    def _kept(self, basis: Basis) -> Iterator[tuple[Mechanism, str]]:
        for each in self.exchanges(basis):
            if isinstance(each, tuple) and not basis.options.only:
                yield each

    def _unheld(self, basis: Basis) -> list[str]:
        """Which mechanisms have no placebo of equal capacity, by why."""
        reasons: dict[str, list[str]] = {}
        for each in self._chosen(basis):
            reasons.setdefault(each.mechanism.unheld, []).append(each.mechanism.key)
        return [f"{NOT_HELD} of {', '.join(keys)}: {reason}" for reason, keys in reasons.items() if reason]

    def _alike(self, basis: Basis) -> list[list[Switched]]:
        """The arms, those that are one configuration together."""
        groups: dict[str, list[Switched]] = {}
        for each in self._chosen(basis):
            groups.setdefault(each.config.id, []).append(each)
        return list(groups.values())
