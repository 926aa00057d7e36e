"""How much of a run is still to come."""

from analysis.completeness import NOT_STARTED
from analysis.ranking import Ranking

TO_COME = (NOT_STARTED, "running", "interrupted")
"""What units are called that would end if the sweep went on."""


def unended_units(ranking: Ranking) -> int:
    """Units that have not ended, those of configurations among them that a search has not proposed yet; 0 of a run that is
    finished. Units that failed, diverged or were stopped have ended."""
    begun = sum(ranking.left_out.get(status, 0) for status in TO_COME)
    plan = ranking.run.plan()
    if plan.get("status", "finished") == "finished":
        return begun
    unproposed = max(int(plan.get("trials", 0)) - len(plan.get("configs", [])), 0)
    return begun + unproposed * len(plan.get("folds", [])) * len(plan.get("seeds", []))
