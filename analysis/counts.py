"""How many configurations and units a run has, by what became of them: the one place where they are counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.completeness import NOT_STARTED, asked_of_each, planned_units
from analysis.reported import REPORTED, UNBEGUN, statuses
from analysis.store import KEYS, Run

FINISHED = "finished"
"""What a unit is called that has a result: done, or ended early with one."""
TO_COME = (NOT_STARTED, "running", "interrupted")
"""What units are called that would end if the sweep went on."""


@dataclass(frozen=True)
class RunCounts:
    """`of_each`: configuration that is planned or has begun -> units by state (FINISHED, NOT_STARTED, or as `statuses`
    says); `unproposed`: configurations that a search has yet to propose, and `units_of_each` of those."""

    of_each: Mapping[str, Mapping[str, int]]
    unproposed: int = 0
    units_of_each: int = 0

    @property
    def configurations(self) -> int:
        return len(self.of_each) + self.unproposed

    @property
    def states(self) -> dict[str, int]:
        """State -> units, FINISHED first; none without units."""
        total: Counter[str] = Counter({FINISHED: 0})
        for states in self.of_each.values():
            total.update(states)
        total[NOT_STARTED] += self.unproposed * self.units_of_each
        return {state: count for state, count in total.items() if count}

    @property
    def planned(self) -> int:
        """Units that are asked for or have begun."""
        return sum(self.states.values())

    @property
    def finished(self) -> int:
        return self.states.get(FINISHED, 0)

    @property
    def begun(self) -> int:
        return self.planned - sum(self.states.get(state, 0) for state in (NOT_STARTED, UNBEGUN))

    @property
    def to_come(self) -> int:
        """Units that have not ended; those that failed, diverged or were stopped have."""
        return sum(self.states.get(state, 0) for state in TO_COME)

    @property
    def left_out(self) -> dict[str, int]:
        """State -> units without a result, those that have not started last."""
        some = {state: count for state, count in self.states.items() if state not in (FINISHED, NOT_STARTED)}
        return some | {k: v for k, v in self.states.items() if k == NOT_STARTED}

    def of(self, configs: Iterable[str]) -> "RunCounts":
        """The same of some configurations; of those that it knows."""
        return RunCounts({config: self.of_each[config] for config in configs if config in self.of_each})


def counts(run: Run) -> RunCounts:
    """Of a run at this moment: every configuration on the folds and seeds that are asked for, and what has begun beside."""
    units, plan = run.table("units"), run.plan()
    reached: dict[str, dict[tuple[str, int], str]] = {str(c["id"]): {} for c in plan.get("configs", [])}
    columns = [*(units[key].tolist() for key in KEYS), statuses(run).tolist()]
    for config, fold, seed, status in zip(*columns, strict=True):
        reached.setdefault(str(config), {})[(fold, seed)] = FINISHED if status in REPORTED else status
    asked = asked_of_each(run)
    of_each = {
        config: Counter(states.get(unit, NOT_STARTED) for unit in planned_units(asked, states))
        for config, states in reached.items()
    }
    searching = plan.get("status", "finished") != "finished"
    unproposed = max(int(plan.get("trials", 0)) - len(plan.get("configs", [])), 0) if searching else 0
    return RunCounts(of_each, unproposed, len(asked))
