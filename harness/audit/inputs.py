"""Does a mechanism read what it says that it reads? Each input is exchanged or zeroed, and what comes out has to move."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness.audit.acting import KNOWN, UNSEEN, places
from harness.audit.elsewhere import Vantage
from harness.audit.neutral import members, parts_of
from harness.audit.reading import KNOWN_SPLITS, NOTHING, ROUNDING, Moved, ScoreReading
from harness.audit.step_inputs import OF_STEP, movement_of_parts
from harness.audit.twins import Twins
from harness.mechanisms.mechanism import Mechanism
from harness.trial.score.predict import SplitScores
from models.environment.base import EnvironmentOutput
from models.environment.placement import Placement
from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Resistance
from models.environment.student import SupportEnvironment
from models.episode import Support

SENTENCES = {
    "support": "it does not read its support set: with another cell line's {what} is the same",
    "z_i": "it does not read z_I: with other ones {what} is the same",
    "u": "it does not read U_I: with zeros {what} is the same",
    "labels": "it does not read the labels of its support set: with the others {what} is the same",
    "v": "it does not read v_c: with another cell line's {what} is the same",
    "cell_line": "it does not go by the cell line's name: under another name {what} is the same",
    "z_e": "it does not read z_E: with another one {what} is the same",
    "temperature": "it does not read T: at twice the T {what} is the same",
    "shallow": "it does not read the shallow statistics of a support set: with other ones {what} is the same",
    "place": "it does not read where the cell line lies: elsewhere {what} is the same",
    "enhancer": "it does not read the enhancer: with another pair's {what} is the same",
    "promoter": "it does not read the promoter: with another pair's {what} is the same",
}


class InputFault(NamedTuple):
    """The smallest relative movement over the inputs that could be asked for (None: none), and the sentence on the first
    that moves nothing (empty: all move)."""

    gap: float | None
    text: str


def judge_inputs(twins: Twins, mechanism: Mechanism) -> InputFault:
    """Every input that the mechanism declares and that this configuration has, exchanged."""
    gaps = []
    for name in [name for name in SENTENCES if name in mechanism.reads]:
        answer = _movement(twins, mechanism, name)
        if answer is None:
            continue
        gap, what = answer
        gaps.append(gap)
        if gap <= NOTHING:
            return InputFault(gap, SENTENCES[name].format(what=what))
    return InputFault(min(gaps, default=None), "")


def _movement(twins: Twins, mechanism: Mechanism, name: str) -> tuple[float, str] | None:
    """Relative movement of what the input moves, 0 below rounding, and what that is; None where it cannot be asked."""
    model, kind, cls = twins.trainer.model, mechanism.kind, mechanism.cls
    if name in ("enhancer", "promoter"):
        side = ("enhancer", "promoter").index(name)
        return _least(twins.other_side(side), frozenset({KNOWN, UNSEEN}), "the logit")
    if kind == "energy form":
        if name == "u":
            return _replayed(twins.reading, model.energy, 0, [torch.zeros_like])
        return _replayed(twins.reading, model.energy, 2, [_doubled])
    if kind in ("environment source", "fusion", "extrapolation", "teacher"):
        return _of_environment(twins, mechanism, name)
    if cls is None:
        return None
    if name in OF_STEP:
        return movement_of_parts(twins, cls, name), "what it gives"
    if name not in ("z_i", "z_e", "support"):
        return None
    answers = [
        _replayed(twins.reading, module, 1 if name == "z_i" and isinstance(module, Resistance) else 0, WAYS)
        for _, module in members(twins.trainer, cls)
        if not _unread(module, twins.reading, name)
    ]
    return min((answer for answer in answers if answer is not None), default=None)


def _unread(module: nn.Module, reading: ScoreReading, name: str) -> bool:
    """Whether this module cannot read the input here: of one prototype space of one dimension, or of a cell line whose R_E
    a prior extrapolates."""
    arguments, named = reading.calls.get(module, ((), {}))
    if isinstance(module, Placement):
        return not arguments or arguments[0].shape[-1] == 1
    extrapolates = isinstance(module, Resistance) and named.get("raw") is not None
    return extrapolates and name == "z_e" and isinstance(module, Resistance) and module.scope == "cell"


def _of_environment(twins: Twins, mechanism: Mechanism, name: str) -> tuple[float, str] | None:
    """An input of the environment side, exchanged where it enters: R_E moves, of a Teacher R_T."""
    reading, model = twins.reading, twins.trainer.model
    asked = places(mechanism, twins.probe.config)
    if name == "labels":
        return _labels(twins) if mechanism.kind == "environment source" else None
    if name == "place":
        return _places(twins)
    if name == "cell_line" and model.cell_lines < 2:
        return None
    exchanged = partial(_exchanged, name=name, hide=mechanism.kind == "fusion")
    if mechanism.kind == "teacher":
        scores = exchanged(twins)
        of_teacher = [
            [r for each in of.values() for r in each.r_teacher.values()] for of in (reading.base, scores)
        ]
        if not all(of_teacher):
            return 0.0, "R_T"  # no prediction has one
        before, after = (torch.from_numpy(np.concatenate(each)) for each in of_teacher)
        return _relative(before, after), "R_T"

    def look(at: Twins | Vantage) -> Moved:
        return at.reading.moved(exchanged(at), r=True)

    return _least(twins.elsewhere.confirmed(look(twins), asked, look), asked, "R_E")


def _exchanged(at: Twins | Vantage, *, name: str, hide: bool) -> dict[str, SplitScores]:
    """Scores with this input of every call of the environment exchanged."""
    model = at.trainer.model
    change = Exchange(at.reading.supports, name, model.cell_lines, hide=hide)
    return at.reading.with_arguments(model.environment, change)


def _labels(twins: Twins) -> tuple[float, str] | None:
    """Labels of the support pairs, all shown, all 0 against all 1; z_E moves where `support.labels` is set."""
    if not twins.probe.config.support.labels:
        return None
    for _, source in members(twins.trainer, SupportEnvironment):
        support: Support = twins.reading.calls[source][0][0]
        shown = replace(support, labelled=torch.ones_like(support.u), label=torch.zeros_like(support.u))
        with torch.no_grad():
            before, after = source(shown), source(replace(shown, label=torch.ones_like(support.u)))
        return _relative(before, after), "z_E"
    return None


def _places(twins: Twins) -> tuple[float, str] | None:
    """An unseen cell line lies where one training cell line does, and then where another does: R_E moves."""
    asked = frozenset({UNSEEN})
    for _, prior in members(twins.trainer, GaussianProcessPrior):
        assert isinstance(prior, GaussianProcessPrior)
        places = prior.training_places(twins.trainer.reference)[:2]
        if len(places) > 1:
            look = partial(_placed_at, places)
            return _least(twins.elsewhere.confirmed(look(twins), asked, look), asked, "R_E")
    return None


def _placed_at(places: Tensor, at: Twins | Vantage) -> Moved:
    environment = at.trainer.model.environment
    low, high = (at.reading.with_output(environment, partial(_placed, place)) for place in places)
    return at.reading.moved(low, base=high, r=True)


def _placed(place: Tensor, output: EnvironmentOutput) -> EnvironmentOutput:
    return output._replace(place=None if output.place is None else place.expand_as(output.place))


class Exchange:
    """A change of the environment's support sets, call by call in the order of the base: the input is that of another call
    whose content differs, another name, or zeros. `hide`: names are hidden instead of exchanged."""

    def __init__(self, supports: list[Support], name: str, cell_lines: int, *, hide: bool) -> None:
        self.supports, self.name, self.cell_lines, self.hide, self.call = supports, name, cell_lines, hide, 0

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        support, *rest = arguments
        changed = self._changed(support)
        self.call += 1
        return (changed, *rest), named

    def _changed(self, support: Support) -> Support:
        if self.name == "z_i":
            return replace(support, z_i=torch.zeros_like(support.z_i))
        if self.name == "u":
            return replace(support, u=torch.zeros_like(support.u))
        if self.name == "cell_line":
            other = -torch.ones_like(support.cell) if self.hide else (support.cell + 1) % self.cell_lines
            return replace(support, cell=torch.where(support.cell >= 0, other, support.cell))
        others = self.supports[self.call + 1 :] + self.supports[: self.call]
        if self.name == "v":
            mine = support.v
            features = [other.v for other in others if other.v is not None]
            unlike = [v for v in features if mine is not None and not torch.equal(v, mine)]
            return replace(support, v=unlike[0]) if unlike else support
        sets = [other for other in others if not torch.equal(other.z_i, support.z_i)]
        return replace(support, z_i=sets[0].z_i, u=sets[0].u) if sets else support


def _replayed(
    reading: ScoreReading, module: nn.Module, position: int, changes: Sequence[Callable[[Tensor], Tensor]]
) -> tuple[float, str] | None:
    """The module's first call again, with one argument changed, in the first way that moves anything."""
    if module not in reading.calls:
        return None
    arguments, named = reading.calls[module]
    with torch.no_grad():
        before = parts_of(module(*arguments, **named))
        for change in changes:
            changed = list(arguments)
            changed[position] = change(changed[position])
            after = parts_of(module(*changed, **named))
            moved = max(_relative(a, b) for a, b in zip(before, after, strict=True) if a.is_floating_point())
            if moved > NOTHING:
                return moved, "what it gives"
    return 0.0, "what it gives"


def _doubled(value: Tensor) -> Tensor:
    return 2 * value


WAYS = (torch.neg, torch.zeros_like)
"""Ways of changing the input of a module."""


def _relative(before: Tensor, after: Tensor) -> float:
    """Largest movement over the spread, or over rounding where nothing is spread; 0 below rounding."""
    gap = float((after - before).abs().max())
    size = float(before.abs().max())
    if gap <= ROUNDING * size:
        return 0.0
    spread = float(before.std()) if before.numel() > 1 else 0.0
    return gap / (spread if spread > ROUNDING * size else size + 1e-30)


def _least(moved: Moved, asked: frozenset[str], what: str) -> tuple[float, str] | None:
    """The relative movement; 0 where it is nothing on a split of the places asked for."""
    of_known = {KNOWN: True, UNSEEN: False}
    wanted = [of_known[place] for place in (KNOWN, UNSEEN) if place in asked]
    if not wanted:
        return None
    still = [name for name in moved.still if (name in KNOWN_SPLITS) in wanted]
    return (0.0, f"{what} of split {still[0]}") if still else (moved.relative, what)
