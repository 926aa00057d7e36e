"""Check 6: a step on a loss term alone moves each scalar that it declares the declared way, and as far as it says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch

from harness.audit.finding import MechanismFinding
from harness.audit.raised import again_in_double
from harness.audit.scene import Scene, flat
from harness.audit.twins import Twins
from harness.mechanisms.mechanism import GROUPS, Mechanism
from harness.trial.step.diverged import Diverged
from models.losses.term import LossTerm

LENGTHS = (1e-6, 1e-5, 1e-7, 1e-4, 1e-3)
"""Lengths of the step, tried until one agrees closely: a kink or rounding may spoil some, and none hides a sign."""
CLOSE = 1e-5
TOLERANCE = 1e-4
"""Largest |finite difference / slope - 1| of an objective that is met."""
ROUNDING = 1e-9
"""Slope, relative to 1 and the scalars, below which a difference in float64 says nothing."""
TASK = "task"
"""The term whose gradient is followed through the sequence side, as those of all others come in there in the same way."""
_SCENES: "WeakKeyDictionary[Twins, dict[bool, Scene]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Aim:
    """One declared objective: the part, what it moves, and +1 where a step lowers it, -1 where it raises it."""

    part: str
    what: str
    sign: float


def direction(twins: Twins, mechanism: Mechanism, cls: type | None) -> MechanismFinding | None:
    """Compare, for each group of parameters that the term of class `cls` moves, a finite difference of its plain scalars
    (`LossTerm.parts`) along its routed gradient with the norm of that gradient.

    In float64 on a clone with everything on, with batch, draws, states and stopped gradients held. `broken` where sign or
    size differ, or where the term has another gradient on what it reads of a step than its plain scalars; `idle` where
    every gradient is 0, `active` with its `direction_gap` otherwise; None for what is no loss term or was not built.
    Raises Diverged for numbers that are not finite.
    """
    if cls is None or not issubclass(cls, LossTerm):
        return None
    key = next((key for key, term in twins.terms.items() if isinstance(term, cls)), None)
    if key is None:
        return None
    with again_in_double(twins.probe.config):
        scene = _scene(twins, key)
        judged = [
            each for letters, aims in _alike(scene.terms[key]) for each in _judged(scene, key, letters, aims)
        ]
    gaps = [gap for gap, _ in judged]
    faults = [text for text in (*(text for _, text in judged), scene.unlike[key]) if text]
    if faults:
        finding = MechanismFinding.on(mechanism, "broken", faults[0], direction_gap=max(gaps, default=None))
        return replace(finding, check="direction")
    if not gaps:
        return MechanismFinding.on(mechanism, "idle", "it has no gradient at this state")
    text = "a step on it moves what it declares, the way that it declares"
    return MechanismFinding.on(mechanism, "active", text, direction_gap=max(gaps))


def _scene(twins: Twins, key: str) -> Scene:
    """The one in which a loss term is followed: the two ways into the sequence side through all of it."""
    entering = [each for each, term in twins.terms.items() if each == TASK or "kl" in term.reads]
    scenes = _SCENES.setdefault(twins, {})
    through = key in entering
    if through not in scenes:
        scenes[through] = Scene(twins.probe, through=entering if through else None)
    return scenes[through]


def aims_by_group(term: LossTerm) -> dict[str, list[Aim]]:
    """Letter of a group -> what the term declares to move there."""
    aims: dict[str, list[Aim]] = {}
    for (part, letters), (what, way) in term.objectives.items():
        for letter in letters:
            aims.setdefault(letter, []).append(Aim(part, what, 1.0 if way == "down" else -1.0))
    return aims


def _alike(term: LossTerm) -> list[tuple[list[str], list[Aim]]]:
    """Letters of groups on which the term declares the same, and what."""
    alike: list[tuple[list[str], list[Aim]]] = []
    for letter, aims in aims_by_group(term).items():
        letters = next((letters for letters, others in alike if others == aims), None)
        if letters is None:
            alike.append(([letter], aims))
        else:
            letters.append(letter)
    return alike


def _judged(scene: Scene, key: str, letters: Sequence[str], aims: Sequence[Aim]) -> list[tuple[float, str]]:
    """Per question |finite difference / slope - 1| and the fault in words, empty where it is met; none over groups without
    a slope. Groups on which the same is declared are followed at once, each as far as moves the scalars by about as much;
    where that does not agree closely, one by one."""
    sizes = {letter: scene.size(key, letter) for letter in letters}
    scalars = scene.scalars(key)
    if not math.isfinite(sum(sizes.values()) + sum(scalars.values())):
        raise Diverged(f"loss term {key} or its gradient is not finite in the audit of its direction")
    least = ROUNDING * (1 + sum(map(abs, scalars.values())))
    acting = {letter: size for letter, size in sizes.items() if size >= least}
    if len(acting) > 1:
        together = _followed(scene, key, acting, aims)[0]
        if together <= CLOSE:
            faults = [
                _fault(aims, _apart(scene, key, letter, aims), letter) for letter in acting if len(aims) > 1
            ]
            return [(together, text) for text in faults or [""]]
    return [_judged_alone(scene, key, letter, size, aims) for letter, size in acting.items()]


def _judged_alone(scene: Scene, key: str, letter: str, size: float, aims: Sequence[Aim]) -> tuple[float, str]:
    """The same over one group."""
    gap, shares = _followed(scene, key, {letter: size}, aims)
    if len(aims) > 1:
        shares = _apart(scene, key, letter, aims)
    elif gap <= TOLERANCE:
        return gap, ""
    return gap, _fault(aims, shares, letter)


def _followed(
    scene: Scene, key: str, sizes: Mapping[str, float], aims: Sequence[Aim]
) -> tuple[float, dict[str, float]]:
    """|finite difference / slope - 1| along the gradients on the groups, by letter with their sizes, at the length that
    agrees best, and the share of each scalar there."""
    gap, shares = math.inf, dict[str, float]()
    for length in LENGTHS:
        now = scene.slopes(key, sizes, length)
        missed = abs(sum(aim.sign * now[aim.part] for aim in aims) - 1)
        if missed < gap:
            gap, shares = missed, now
        if gap <= CLOSE:
            break
    return gap, shares


def _apart(scene: Scene, key: str, letter: str, aims: Sequence[Aim]) -> dict[str, float]:
    """1 / c of the routed gradient = sum_i c_i gradient of scalar i, by least squares; scalars without a gradient are left
    out."""
    parameters = scene.members(key, letter)
    columns = {aim.part: flat(scene.plain[key][aim.part], parameters) for aim in aims}
    columns = {part: column for part, column in columns.items() if bool(column.any())}
    if not columns:
        return {}
    routed = flat(scene.gradients[key], parameters).unsqueeze(1)
    solved = torch.linalg.lstsq(torch.stack([*columns.values()], 1), routed).solution
    return {
        part: 1 / c if c else math.inf for part, c in zip(columns, solved.flatten().tolist(), strict=True)
    }


def _fault(aims: Sequence[Aim], shares: Mapping[str, float], letter: str) -> str:
    """What the step does against what was declared, of the objective that is missed the furthest; empty where none is.
    A share is the slope of the scalar along the gradient over what this says: 1 for one that a step lowers as declared."""
    judged = [(abs(aim.sign * shares[aim.part] - 1), aim) for aim in aims if aim.part in shares]
    gap, aim = max(judged, key=lambda pair: pair[0], default=(0.0, aims[0]))
    if gap <= TOLERANCE:
        return ""
    share = aim.sign * shares[aim.part]
    where = f"on the {GROUPS[letter]} ({letter})" if letter != "A" else f"on its {GROUPS[letter]} (A)"
    if share < 0 < aim.sign:
        return f"its step {where} raises the {aim.what}, where it declares to lower it"
    if share < 0:
        return f"its step {where} lowers the {aim.what}, where it declares to raise it"
    return f"its step {where} moves the {aim.what} {share:.6g} times as far as its gradient says"
