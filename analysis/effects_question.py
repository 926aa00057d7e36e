"""By what a run's effects are judged: as preregistered, where that stands as it was written."""

from dataclasses import dataclass

from analysis.asked import asked_by
from analysis.criteria import Criterion, criterion_of
from analysis.preregistration import Preregistration
from analysis.ranking import ROPE
from analysis.store import Run


@dataclass(frozen=True)
class EffectsQuestion:
    """The criterion, the region of no effect, and how many contrasts were preregistered (0 where nothing is relied on);
    `relied`: what was preregistered, unless it was changed after the fact."""

    by: Criterion
    rope: float
    relied: Preregistration | None

    @property
    def registered(self) -> int:
        return len(self.relied.names) if self.relied else 0

    @classmethod
    def of(
        cls, run: Run, known: Preregistration | None, metric: str | None = None, rope: float | None = None
    ) -> "EffectsQuestion":
        """`metric` and `rope` where they are given; else those of `known`, or the run's objective and `ROPE`.

        Raises UserError for an unknown metric (nearest name).
        """
        by = criterion_of(known.criterion) if known and not metric else asked_by(run, metric)
        relied = known if known and not known.tampered else None
        return cls(by, rope if rope is not None else relied.rope if relied else ROPE, relied)
