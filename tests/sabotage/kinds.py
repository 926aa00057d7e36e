"""Ways of breaking a mechanism that a person would not notice, made on the real classes: what proves the audit."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from harness.audit.auditor import twins_of
from harness.audit.finding import FATAL, MechanismFinding
from harness.audit.judge import Judge
from harness.audit.keys import unread_keys
from harness.audit.neutral import mapped
from harness.audit.probe import Probe
from harness.config.blocks.paths import leaves
from harness.mechanisms.mechanism import Mechanism
from harness.trial.score import scoring
from harness.trial.score.predict import Predictor
from harness.trial.step import trainer as trainer_module
from harness.trial.step.routing import WeightedTerm
from harness.trial.step.schedule import Schedule
from harness.trial.unit_run import UnitRun
from models.declared import POSITIVE
from models.energy.base import Energy
from models.energy.temperature import CalibratedTemperature, Temperature
from models.environment.branches import Branches
from models.environment.teacher import EmaTeacher
from models.losses.term import LossTerm

Context = contextlib.AbstractContextManager[Any]

KINDS = (
    "weight read but not used",
    "gradient cut",
    "gate constant",
    "built but not called",
    "key ignored",
    "another energy in prediction",
    "reach too wide",
)
ENTRY = {"KmerStem": "finish"}
"""Method by which a class is entered, where that is not `forward`."""


NOT_APPLICABLE = {
    **{(key, "gradient cut"): "T has no gradient" for key in ("fixed", "calibrated")},
    **{
        (key, "gate constant"): "T is a constant in training by definition" for key in ("fixed", "calibrated")
    },
    ("ema", "gradient cut"): "it is an average, and no gradient ever goes through it",
}
"""Kinds that would change nothing of a mechanism as it is meant to be, and why."""
UNREAD = {("scope_cell", "rank"): "A and B belong to the sample scope"}
"""Keys that a class takes and does not read in this variant, and why."""


def sabotage(mechanism: Mechanism, kind: str) -> Context | None:
    """A context in which `mechanism` is broken in the way of `kind`; None where that kind does not apply to it
    (`NOT_APPLICABLE`, `UNREAD`: where it would change nothing)."""
    cls = mechanism.cls
    if cls is None or (mechanism.key, kind) in NOT_APPLICABLE:
        return None
    if cls is CalibratedTemperature:
        return _of_calibration(kind)
    if cls is EmaTeacher and kind in ("gate constant", "built but not called"):
        return _of_memory(kind)
    if kind == "another energy in prediction":
        return _other_energy() if issubclass(cls, Energy) else None
    if kind == "key ignored":
        key = _own_key(mechanism)
        return None if key is None else _ignoring(cls, key)
    if issubclass(cls, LossTerm):
        return _of_term(mechanism, cls, kind)
    return _of_module(cls, kind)


def caught(unit_run: UnitRun, mechanism: Mechanism, kind: str) -> MechanismFinding | None:
    """What the audit says against the sabotaged mechanism of a unit that was built inside the sabotage; None when
    it says nothing. Judges this mechanism alone; `another energy in prediction` runs the whole audit of the end.
    """
    if kind == "another energy in prediction":
        found = [f for f in twins_of(unit_run.subject, "last").findings if f.mechanism == mechanism.key]
        return next((f for f in found if f.verdict in FATAL), None)
    with torch.random.fork_rng(devices=[]):
        probe = Probe(unit_run.subject)
        if kind == "key ignored":
            key = _own_key(mechanism)
            path = next(p for p in _paths(mechanism) if p.endswith(f".{key}"))
            return (
                MechanismFinding("-", path, "inert", "nothing reads it")
                if path in unread_keys(probe, path)
                else None
            )
        finding = Judge(probe, thorough=True).judge(mechanism)
    return finding if finding.verdict in FATAL else None


def _of_term(mechanism: Mechanism, cls: type[LossTerm], kind: str) -> Context | None:
    key = cls.key
    weighted = any(setting.value == POSITIVE for setting in mechanism.when)
    if kind == "gradient cut":
        forward = cls.forward
        return patch.object(
            cls, "forward", lambda self, *a: tuple(_detached(part) for part in forward(self, *a))
        )
    if kind == "built but not called" and key != "task":
        factor = Schedule.factor
        return patch.object(
            Schedule,
            "factor",
            lambda self, term, progress: 0.0 if term.key == key else factor(self, term, progress),
        )
    if kind == "weight read but not used" and weighted:

        def deaf(name: str, value: Tensor, weight: float, *rest: Any) -> WeightedTerm:
            return WeightedTerm(name, value, 0.37 if name == key else weight, *rest)

        return patch.object(trainer_module, "WeightedTerm", deaf)
    if kind == "reach too wide" and set(getattr(cls, "reach", "SETG")) < set("SETG"):
        init: Any = getattr(cls, "__init__")  # noqa: B009

        def wide(self: Any, *a: Any, **k: Any) -> None:
            init(self, *a, **k)
            self.reach = frozenset("SETGA")

        return patch.object(cls, "__init__", _signed(wide, init))
    return None


def _of_module(cls: type, kind: str) -> Context | None:
    name = ENTRY.get(cls.__name__, "forward")
    true: Any = getattr(cls, name)
    if issubclass(cls, Energy):
        if kind == "gate constant":
            return patch.object(
                cls, name, lambda self, u, r, t, *a: true(self, u, torch.zeros_like(r), t, *a)
            )
        if kind == "built but not called":
            return patch.object(cls, name, lambda self, u, r, t, *a: u / t)
        return None
    change: dict[str, Callable[[Any, Tensor], Tensor]] = {
        "gradient cut": lambda arguments, out: out.detach(),
        "gate constant": lambda arguments, out: torch.ones_like(out),
        "built but not called": lambda arguments, out: torch.zeros_like(out) + _mean(arguments),
    }
    if kind not in change:
        return None
    if issubclass(cls, Temperature) and kind == "built but not called":
        return None

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        output = true(self, *arguments, **named)
        return mapped(output, lambda t: change[kind](arguments, t) if t.is_floating_point() else t)

    return patch.object(cls, name, broken)


def _of_calibration(kind: str) -> Context | None:
    """T is fitted nowhere: 1 is what every split is divided by."""
    if kind != "built but not called":
        return None
    return patch.object(scoring, "fit", lambda logit_at, labels: torch.ones((), dtype=torch.float64))


def _of_memory(kind: str) -> Context:
    """The Teacher's memory stays as it was before the first step, or is kept and the Student's own parameters answer."""
    if kind == "built but not called":
        return patch.object(EmaTeacher, "remember", lambda self, memory, student: dict(memory))
    answer = Branches.teacher_raw
    return patch.object(Branches, "teacher_raw", lambda self, support, values=None: answer(self, support))


def _ignoring(cls: type, key: str) -> Context:
    """The class is built with its own default for `key`, whatever it is given."""
    init: Any = getattr(cls, "__init__")  # noqa: B009
    default = inspect.signature(init).parameters[key].default

    def deaf(self: Any, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **{**named, key: default})

    return patch.object(cls, "__init__", _signed(deaf, init))


def _own_key(mechanism: Mechanism) -> str | None:
    """A key of the mechanism's block that its class takes with a default and reads; None where there is none."""
    parameters = inspect.signature(mechanism.cls).parameters if mechanism.cls is not None else {}
    names = [path.rsplit(".", 1)[-1] for path in _paths(mechanism)]
    taken = [n for n in names if n in parameters and parameters[n].default is not inspect.Parameter.empty]
    return next((n for n in taken if (mechanism.key, n) not in UNREAD), None)


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


@contextlib.contextmanager
def _other_energy() -> Iterator[None]:
    predict = Predictor.predict

    def other(self: Any, model: Any, *arguments: Any, **named: Any) -> Any:
        with patch.object(type(model.energy), "forward", lambda self, u, r, t, *a: u / t - 0.3):
            return predict(self, model, *arguments, **named)

    with patch.object(Predictor, "predict", other):
        yield


def _signed(function: Callable[..., Any], like: Any) -> Any:
    """The function with another's signature: registries check arguments against it."""
    function.__signature__ = inspect.signature(like)  # type: ignore[attr-defined]  # read by inspect, unknown to typeshed
    return function


def _detached(part: Any) -> Any:
    return part.detach() if isinstance(part, Tensor) else part


def _mean(arguments: Any) -> Tensor:
    tensors = [a for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
    return tensors[0].mean() if tensors else torch.zeros(())
