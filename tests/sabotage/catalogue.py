"""Every way of breaking every mechanism, and why a kind does not apply where none is."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch

from harness.config.blocks.paths import leaves
from harness.mechanisms.mechanism import Mechanism
from harness.trial.score import scoring
from models.energy.base import Energy
from models.energy.temperature import CalibratedTemperature
from models.environment.branches import Branches
from models.environment.teacher import EmaTeacher
from models.losses.term import LossTerm
from tests.sabotage import energies, modules, rules, terms
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import KINDS, Way

UNREAD = frozenset({("scope_cell", "rank")})
"""(mechanism, key) that a class takes and does not read in this variant: A and B belong to the sample scope."""
TRAINING = "it acts in training alone"
CONTRACT = "no promise of sampler or predictor is about it"
ROUTE = "no gradient of its own is routed"
NO_WEIGHT = "it has no weight of its own"
NO_KEY = "its class takes no key with a default"
REASONS: dict[str, dict[str, str]] = {
    "term": {
        "weight read but not used": NO_WEIGHT,
        "built but not called": "a trial without its task is refused",
        "real run only": "the task has no weight, no ramp and no parameters of its own",
        "key ignored": NO_KEY,
        "prediction only": TRAINING,
        "contract broken": CONTRACT,
        "reach too wide": "it may move every group already",
    },
    "module": {
        "weight read but not used": NO_WEIGHT,
        "gradient cut": "no gradient goes through it",
        "constant output": "it is a constant in training by definition",
        "built but not called": "its neutral value is one that it may have",
        "key ignored": NO_KEY,
        "input ignored": "it reads its own parameters alone",
        "another input read": "it reads its own parameters alone",
        "sign flipped": "a sign inside it is learned with it",
        "real run only": "it has no parameters that a step moves",
        "prediction only": TRAINING,
        "late": "it is a constant in training by definition",
        "contract broken": CONTRACT,
        "reach too wide": ROUTE,
    },
    "energy": {
        "weight read but not used": NO_WEIGHT,
        "key ignored": NO_KEY,
        "real run only": "it has no parameters that a step moves",
        "contract broken": CONTRACT,
        "reach too wide": ROUTE,
    },
    "rule": {
        "weight read but not used": NO_WEIGHT,
        "gradient cut": "it has no gradient of its own",
        "constant output": "it has no output of its own",
        "key ignored": "the key is the rule itself",
        "input ignored": "what it reads is the input of the modules that it joins",
        "another input read": "what it reads is the input of the modules that it joins",
        "sign flipped": "it has no direction",
        "real run only": "all of a trial is built by it alike",
        "prediction only": TRAINING,
        "late": "it is part of how a trial is built",
        "contract broken": CONTRACT,
        "reach too wide": ROUTE,
    },
}
"""Family -> kind -> why it does not apply where there is no way of it."""


def family(mechanism: Mechanism) -> str:
    """Which reasons hold for a mechanism."""
    cls = mechanism.cls
    if cls is None:
        return "rule"
    return "term" if issubclass(cls, LossTerm) else "energy" if issubclass(cls, Energy) else "module"


def ways(mechanism: Mechanism) -> list[Way]:
    """Every way of breaking it, in the order of the kinds."""
    return sorted(_ways(mechanism), key=lambda way: KINDS.index(way.kind))


def reasons(mechanism: Mechanism) -> dict[str, str]:
    """Kind -> why it does not apply. KeyError for a kind that has neither a way nor a reason."""
    there = {way.kind for way in ways(mechanism)}
    return {kind: REASONS[family(mechanism)][kind] for kind in KINDS if kind not in there}


def own_key(mechanism: Mechanism) -> str | None:
    """A key of the mechanism's block that its class takes with a default and reads; None where there is none."""
    parameters = inspect.signature(mechanism.cls).parameters if mechanism.cls is not None else {}
    names = [path.rsplit(".", 1)[-1] for path in _paths(mechanism)]
    taken = [n for n in names if n in parameters and parameters[n].default is not inspect.Parameter.empty]
    return next((n for n in taken if (mechanism.key, n) not in UNREAD), None)


def _ways(mechanism: Mechanism) -> Iterator[Way]:
    cls = mechanism.cls
    key = own_key(mechanism)
    if cls is not None and key is not None:
        broken, name = cls, key
        yield Way("key ignored", f"{key} is its default", lambda t: _ignoring(t, broken, name))
    if cls is None:
        yield from rules.ways(mechanism)
    elif issubclass(cls, LossTerm):
        yield from terms.ways(mechanism, cls)
    elif issubclass(cls, Energy):
        yield from energies.ways(mechanism, cls)
    elif cls is EmaTeacher:
        yield from _of_memory()
    else:
        yield from modules.ways(mechanism, cls)
        if cls is CalibratedTemperature:
            yield Way("built but not called", "no T is fitted", _unfitted)


def _of_memory() -> Iterator[Way]:
    """The Student's average has no parameters: what it remembers and what it is asked are broken."""
    answer = Branches.teacher_raw

    def asked(change: Callable[[Any], Any]) -> Callable[[Tampering], None]:
        return lambda t: t.replace(
            Branches,
            "teacher_raw",
            lambda true: (
                lambda self, support, values=None: t.noted(
                    true(self, support, values), true(self, change(support), values)
                )
            ),
        )

    def remembers(now: Callable[[Tampering], bool]) -> Callable[[Tampering], None]:
        return lambda t: t.replace(
            EmaTeacher,
            "remember",
            lambda true: (
                lambda self, memory, student: (
                    t.noted(true(self, memory, student), dict(memory))
                    if now(t)
                    else true(self, memory, student)
                )
            ),
        )

    def present(t: Tampering) -> None:
        t.replace(
            Branches,
            "teacher_raw",
            lambda true: (
                lambda self, support, values=None: t.noted(true(self, support, values), answer(self, support))
            ),
        )

    yield Way("constant output", "the Student's present parameters answer", present)
    yield Way("built but not called", "its memory stays as it was", remembers(lambda t: True))
    yield Way("input ignored", "it reads an empty support set", asked(modules.blank))
    yield Way("another input read", "it reads another episode's support set", asked(modules.another))
    yield Way("prediction only", "no Teacher without gradients", modules.untaught)
    yield Way("late", "its memory stays from the second epoch on", remembers(lambda t: t.epoch > 1))


def _unfitted(tampering: Tampering) -> None:
    """T is fitted nowhere: 1 is what every split is divided by."""
    one = torch.ones((), dtype=torch.float64)
    tampering.replace(
        scoring, "fit", lambda true: lambda logit_at, labels: tampering.noted(true(logit_at, labels), one)
    )


def _ignoring(tampering: Tampering, cls: type, key: str) -> None:
    """The class is built with its own default for `key`, whatever it is given."""
    default = inspect.signature(cls).parameters[key].default

    def make(true: Any) -> Any:
        def deaf(self: Any, *arguments: Any, **named: Any) -> None:
            tampering.noted(named.get(key, default), default)
            true(self, *arguments, **{**named, key: default})

        # Registries check arguments against the signature.
        deaf.__signature__ = inspect.signature(true)  # type: ignore[attr-defined]  # read by inspect, unknown to typeshed
        return deaf

    tampering.replace(cls, "__init__", make)


def _paths(mechanism: Mechanism) -> Iterator[str]:
    """Paths of the block that chooses the mechanism, the choosing ones apart."""
    own = {setting.path for setting in mechanism.when}
    blocks = {path.rsplit(".", 1)[0] + "." for path in own if "." in path}
    for path in leaves():
        if (
            path not in own
            and any(path.startswith(b) for b in blocks)
            and not (blocks == {"loss."} and path.count(".") > 1)  # keys of another term, not of the task
            and "decouple." not in path
            and not path.endswith("relations")
        ):
            yield path
