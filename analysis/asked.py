"""What a run was asked for: the objective of its sweep, and the criterion that corresponds to it."""

from analysis.criteria import Criterion, criterion, criterion_of
from analysis.store import Run


def objective_of(run: Run) -> str:
    """The objective of the plan, `val_unseen/pooled/aupr`; of a run without one that of its units; empty where neither
    says."""
    planned = run.plan().get("objective")
    if planned:
        return str(planned)
    said = run.table("units")["objective"].dropna()
    return str(said.iloc[-1]) if len(said) else ""


def asked_by(run: Run, key: str | None = None) -> Criterion:
    """The criterion of that name, or the one that the run was asked for; macro AUPR where it was asked for none.

    Raises UserError for an unknown name (nearest name).
    """
    return criterion(key) if key else criterion_of(objective_of(run))


def chosen_because(run: Run, by: Criterion) -> str:
    """Why something is judged by a criterion, in words: it is the run's own, or not."""
    objective = objective_of(run)
    if not objective:
        return "the default: the run names no objective"
    if criterion_of(objective).key == by.key:
        return "what the run was asked for"
    return f"not what the run was asked for, {criterion_of(objective).label}"
