"""Configurations whose sequence side is that of the base, trained once and frozen (`fidelity: cached`)."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import flatten, leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.config.space.composer import Composer
from harness.config.space.space import changes_key
from models.losses import LOSSES
from models.losses.term import LossTerm

OF_MODEL = "model."
BEHIND = frozenset({"E", "T", "G"})
"""Groups of parameters that train behind z_I."""
OF_HEAD = frozenset({"u", "logit", "energy_of"})
"""Attributes of a step through which a gradient reaches U_I's head, which trains on z_I."""
OFF: Mapping[str, Any] = {"decouple.reach": "environment", "decouple.dual_stream": False}
"""Key of no loss term that reaches the sequence side alone -> its value where it reaches nothing."""


@cache
def frozen_keys() -> frozenset[str]:
    """Dotted paths that reach the sequence side alone: the block `model`, weights of loss terms that could move nothing
    behind z_I, with the keys of their blocks, and what lets others reach it."""
    weights = {cls.weight for cls in terms_of_sequence()}
    blocks = tuple(f"{path.removesuffix('.weight')}." for path in weights if path.endswith(".weight"))
    inside = {path for path in leaves() if path.startswith((OF_MODEL, *blocks))}
    return frozenset({*inside, *weights, *OFF})


def terms_of_sequence() -> list[type[LossTerm]]:
    """Loss terms whose effect cannot exist on a frozen z_I: they reach neither environment nor energy, and read nothing
    that U_I's head makes."""
    classes = [cast(type[LossTerm], row.cls) for row in LOSSES]
    return [cls for cls in classes if not cls.reach & BEHIND and not cls.reads & OF_HEAD]


def refuse_frozen(path: str, at: str) -> None:
    """Raise ConfigError at `at` for a key that a cached configuration could not follow."""
    if path in frozen_keys():
        why = (
            "is of the network, which is the base's" if path.startswith(OF_MODEL) else "reaches nothing else"
        )
        raise ConfigError(
            at,
            f"fidelity: cached trains nothing of the sequence side, and {path} {why}: expected it outside the space, or "
            "fidelity: {screen: N, promote: k}, which holds it at the base's value in the screen and says so",
        )


class FrozenComposer(Composer):
    """As a Composer, of configurations that train behind the sequence side of the base alone: `frozen` names the base,
    whose own loss terms on the sequence side have trained it and are off behind it (`resting`).

    Raises ConfigError for changes of a key that reaches the sequence side alone, and for a base with two streams, where z_E
    lives in the space of the sequence side.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        super().__init__(base)
        self.whole = Composer(base)
        held = flatten(self.whole({}).model_dump())
        if held["decouple.dual_stream"]:
            raise ConfigError(
                "fidelity",
                "fidelity: cached freezes the sequence side, and decouple.dual_stream: true of the base has z_E "
                "live in its "
                "space; expected false, or fidelity: full",
            )
        weights = dict.fromkeys((cls.weight for cls in terms_of_sequence()), 0.0)
        self.resting = {path: off for path, off in {**weights, **OFF}.items() if held.get(path, off) != off}
        self._held = held

    def side(self, *, gpu: bool) -> ConfigurationBlock:
        """The configuration that trains the sequence side: the base."""
        return self.whole.resolved({}, gpu=gpu)

    def __call__(self, changes: Mapping[str, Any]) -> ConfigurationBlock:
        return self._composed(changes, gpu=False)

    def resolved(self, changes: Mapping[str, Any], *, gpu: bool) -> ConfigurationBlock:
        return self._once(
            ("gpu" if gpu else "cpu", changes_key(changes)),
            lambda: self._composed(changes, gpu=gpu).resolved(gpu=gpu),
        )

    def _composed(self, changes: Mapping[str, Any], *, gpu: bool) -> ConfigurationBlock:
        for path, value in changes.items():
            if path in frozen_keys() and value != self._held.get(path):
                raise ConfigError(
                    path,
                    f"fidelity: cached holds {path} at {show(self._held.get(path))}, since it reaches the "
                    "sequence side alone",
                )
        behind = {path: value for path, value in changes.items() if path not in frozen_keys()}
        return compose(self.base, {**self.resting, **behind, "frozen": self.side(gpu=gpu).id})
