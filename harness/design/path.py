"""An ablation path: from one preset to another, one mechanism at a time, each time the one that helps most."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pydantic import Field

from harness.config.blocks.design import Arm, Basis, Changes, DesignBlock, Reached, Staged, Walk, design
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import flatten, leaves
from harness.design.addition import choosing, with_settings
from harness.design.settling import KeptError, Settling, mechanisms_of

REST = "other settings"
"""The step that moves what no mechanism is chosen by: sizes, rates, weights that both configurations have."""


class PathBlock(DesignBlock):
    """Where the path leads, and how far it is walked."""

    to: str = Field(min_length=1)
    """Preset at the end of the path; the base is at its beginning."""
    steps: int | None = Field(None, ge=1, le=100)
    """Steps that are walked from either end; all of them when absent."""


@dataclass(frozen=True)
class PathStep:
    """One step that was taken: the mechanisms that it moved, and the configuration after it."""

    moved: tuple[str, ...]
    arm: Arm


@design("path")
class Path(Staged):
    """A greedy path from the base to the preset `to`: at each step every mechanism that is left is tried, and the best by
    the first, third, ... seed is taken; the other seeds report. Beside it the same walk back from the end (Fawcett and Hoos
    2016)."""

    options = PathBlock
    runs = "walks from the base to another preset"

    def needs(self, space: Mapping[str, Any]) -> str:
        return "moves whole mechanisms and varies no key: leave space out" if space else ""

    def trials(self, asked: int | None, basis: Basis) -> int:
        """The most that it can take: both ends, and in each direction a candidate per mechanism that is left."""
        return self.sizes(basis)[-1][1] if _Moves(basis).steps else 2

    def next_arms(self, basis: Basis, reached: Reached) -> list[Arm]:
        self._check(basis)
        moves = _Moves(basis)
        open_arms: list[Arm] = [arm for arm in moves.ends() if reached(arm.changes) is None]
        for back in (False, True):
            *_, (_, candidates) = self._walk(basis, moves, reached, back=back)
            open_arms += [arm for arm in candidates if reached(arm.changes) is None]
        unique = {repr(sorted(arm.changes.items())): arm for arm in reversed(open_arms)}
        return list(unique.values())[::-1]

    def ending(self, basis: Basis, reached: Reached) -> list[str]:
        chosen, held = self.halves(basis.seeds)
        said = [f"chosen on seeds {_listed(chosen)}, reported on seeds {_listed(held)}"]
        for walk in self.walks(basis, reached):
            for number, (name, arm) in enumerate(walk.steps):
                values = _means(reached(arm.changes), chosen, held)
                said.append(f"  {number}. {name}: {values}" if number else f"{walk.title}: {values}")
        return said

    def halves(self, seeds: Sequence[int]) -> tuple[list[int], list[int]]:
        return list(seeds[0::2]), list(seeds[1::2])

    def walks(self, basis: Basis, reached: Reached) -> list[Walk]:
        moves = _Moves(basis)
        walks = []
        for back, title in ((False, f"from {basis.base}"), (True, f"back from {basis.options.to}")):
            *_, (walked, _) = self._walk(basis, moves, reached, back=back)
            first, sign = moves.ends()[back], "-" if back else "+"
            steps = [(f"{sign} {', '.join(step.moved)}", step.arm) for step in walked]
            walks.append(Walk(title, ((first.name, first), *steps)))
        return walks

    def sizes(self, basis: Basis) -> list[tuple[int, int]]:
        count = len(_Moves(basis).steps)
        most = min(count, basis.options.steps or count)
        return [(steps, 2 + 2 * sum(count - step for step in range(steps))) for steps in range(1, most + 1)]

    def moves(self, basis: Basis) -> Mapping[str, Changes]:
        return _Moves(basis).steps

    def after(self, basis: Basis, steps: Collection[str]) -> Changes:
        return _Moves(basis).changes(frozenset(steps))

    def lines(self, basis: Basis) -> list[str]:
        self._check(basis)
        moves = _Moves(basis)
        chosen, held = self.halves(basis.seeds)
        named = ", ".join(moves.steps)
        return [
            f"{len(moves.steps)} steps lead from {basis.base} to {basis.options.to}: {named}",
            f"each step is chosen on seeds {_listed(chosen)} and reported on seeds {_listed(held)}",
            "what a configuration needs comes with a step; settings are those of the preset that has the mechanism",
        ]

    def words(self, sampler: str) -> str:
        return "one step at a time, the best by half of the seeds"

    def _check(self, basis: Basis) -> None:
        if len(basis.seeds) < 2:
            raise ConfigError(
                "trial.seeds",
                "trial.seeds: one half of the seeds chooses the path and the other reports it: expected 2 or more",
            )
        if not _Moves(basis).steps:
            raise ConfigError("design.to", f"{basis.options.to} and the base are the same: there is no path")

    def _walk(
        self, basis: Basis, moves: "_Moves", reached: Reached, *, back: bool
    ) -> Iterator[tuple[list[PathStep], list[Arm]]]:
        """After each step (those taken so far, the candidates for the next one), as far as results go."""
        chosen, _ = self.halves(basis.seeds)
        walked: list[PathStep] = []
        here = frozenset(moves.steps) if back else frozenset[str]()
        most = basis.options.steps or len(moves.steps)
        while len(walked) < most and (ways := moves.ways(here, back=back)):
            arms = {there: moves.arm(there, here, back=back, number=len(walked) + 1) for there in ways}
            yield walked, list(arms.values())
            values = {there: reached(arm.changes) for there, arm in arms.items()}
            if any(value is None for value in values.values()):
                return
            means = {
                there: fmean(value[seed] for seed in chosen)
                for there, value in values.items()
                if value is not None and all(seed in value for seed in chosen)
            }
            if not means:
                break
            best = (max if basis.larger_is_better else min)(means, key=lambda there: means[there])
            walked = [*walked, PathStep(tuple(sorted(best ^ here, key=list(moves.steps).index)), arms[best])]
            here = best
        yield walked, []


class _Moves:
    """The steps between two configurations: name -> the settings of the target that it lays over the base."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        base, target = basis.compose({}), basis.preset(basis.options.to)
        self.settings = flatten(target.model_dump())
        mine = flatten(base.model_dump())
        present, wanted = mechanisms_of(base), mechanisms_of(target)
        apart = {p for p, v in self.settings.items() if p in leaves() and mine.get(p) != v}
        moved = [each for each in wanted if each not in present] + [
            each for each in present if each not in wanted
        ]
        groups: dict[frozenset[str], list[str]] = {}
        taken: set[str] = set()
        for each in moved:
            paths = frozenset(setting.path for setting in each.when if setting.path in apart)
            leaving = each not in wanted
            if paths and not (leaving and paths <= taken):
                groups.setdefault(paths, []).append(each.key)
                taken |= paths
        self.steps = {
            " and ".join(keys): {path: self.settings[path] for path in paths}
            for paths, keys in groups.items()
        }
        rest = {
            path: self.settings[path] for path in apart if path in mine and path not in taken | choosing()
        }
        asleep = set(with_settings(basis.compose, self._all(), self.settings)) - taken
        if rest := {path: value for path, value in rest.items() if path not in asleep}:
            self.steps[REST] = rest

    def ends(self) -> tuple[Arm, Arm]:
        """The base, and the configuration after all steps."""
        names = self.basis.base, self.basis.options.to
        nothing, everything = frozenset[str](), frozenset(self.steps)
        return (
            Arm({}, names[0], "base", levels=self._levels(nothing)),
            Arm(
                self.changes(everything),
                names[1],
                "path",
                levels=self._levels(everything),
                note="the end of the path",
            ),
        )

    def ways(self, here: frozenset[str], *, back: bool) -> list[frozenset[str]]:
        """Where one step leads from the steps `here`: one more of them, or one fewer, with what has to move as well."""
        ways = []
        for name in self.steps:
            if (name in here) == back:
                try:
                    there = self._settled(here, name, back=back)
                except KeptError:
                    continue
                if there not in ways:
                    ways.append(there)
        return ways

    def arm(self, there: frozenset[str], here: frozenset[str], *, back: bool, number: int) -> Arm:
        """The candidate of step `number` that leads from `here` to `there`."""
        moved = sorted(there ^ here, key=list(self.steps).index)
        names = [name for name in self.steps if name in there]
        way = (
            f"step {number} back from {self.basis.options.to}"
            if back
            else f"step {number} from {self.basis.base}"
        )
        return Arm(
            self.changes(there),
            " + ".join([self.basis.base, *names]),
            "path",
            tuple(moved[1:]),
            levels=self._levels(there),
            note=way,
            mechanism=moved[0],
        )

    def changes(self, steps: frozenset[str]) -> Changes:
        """The changes of the base after these steps, with the settings that they wake."""
        laid: Changes = {}
        for name in self.steps:
            laid |= self.steps[name] if name in steps else {}
        settled = Settling(self.basis.compose, laid, {}).settled()
        return with_settings(self.basis.compose, settled, self.settings)

    def _all(self) -> Changes:
        return Settling(
            self.basis.compose, {p: v for each in self.steps.values() for p, v in each.items()}, {}
        ).settled()

    def _settled(self, here: frozenset[str], name: str, *, back: bool) -> frozenset[str]:
        """The smallest set of steps that moves `name` away from `here` and is no refused configuration."""
        left = [each for each in self.steps if (each in here) == back and each != name]
        queue = [frozenset([name])]
        seen = set(queue)
        while queue:
            moved = queue.pop(0)
            there = here ^ moved
            if self._possible(there):
                return there
            if len(moved) < MOST_TOGETHER:
                further = [moved | {each} for each in left if each not in moved]
                queue += [each for each in further if each not in seen]
                seen |= set(further)
        raise KeptError(f"{name} cannot move here")

    def _possible(self, steps: frozenset[str]) -> bool:
        try:
            self.changes(steps)
        except KeptError:
            return False
        return True

    def _levels(self, steps: frozenset[str]) -> dict[str, int]:
        return {name: 1 if name in steps else -1 for name in self.steps}


MOST_TOGETHER = 4
"""Steps that are taken together where one alone is refused."""


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _means(values: Mapping[int, float] | None, chosen: Sequence[int], held: Sequence[int]) -> str:
    """`0.612 (chosen on: 0.640)`, or what is missing."""
    known = values or {}
    told = [[known[seed] for seed in seeds if seed in known] for seeds in (held, chosen)]
    texts = [f"{fmean(each):.4f}" if each else "no result" for each in told]
    return f"{texts[0]} (chosen on: {texts[1]})"
