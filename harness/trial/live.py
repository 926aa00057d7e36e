"""The warnings of a unit that runs, and whether they end it early."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from analysis.errors import UserError
from analysis.rules import RULES, Finding, Watch
from analysis.rules.rule import RuleError
from harness.config.sweep.use import place_of_class
from harness.trial.score.evaluate import vanished_spread

Row = dict[str, Any]


class LiveWarnings:
    """Judges one epoch after the other by its rows alone; what it keeps does not grow with the epochs.

    `raised` holds a row of `warnings` for every rule and cell line, or loss term, that held at some epoch, as it was then.
    """

    def __init__(self, limits: Mapping[str, float], stop_rules: Sequence[str]) -> None:
        self.stop_rules = frozenset(stop_rules)
        self.raised: list[Row] = []
        self._watch = Watch(limits)
        self._known: set[tuple[str, str | None, str]] = set()
        """Rule, cell line and series of what is in `raised`."""
        self._spread: list[Row] = []
        """Rows of the training subset of the last two epochs."""

    def see(self, trial: Row, tables: Mapping[str, Sequence[Row]]) -> tuple[list[Row], str | None]:
        """The rows that the next epoch adds to `raised`, and why to end early: a rule named in `stop_rules`, or no
        spread of logits for two epochs; None to go on."""
        try:
            findings = self._watch.see(trial, tables)
        except RuleError as error:
            place = place_of_class(type(RULES[error.rule]))
            raise UserError(f"{f'{place}: ' if place else ''}{error}") from error
        key = attrgetter("rule", "cell_line", "series")
        new = [{**each.row(), "live": True} for each in findings if key(each) not in self._known]
        self._known |= set(map(key, findings))
        self.raised += new
        last = max((row["epoch"] for row in self._spread), default=0)
        before = [row for row in self._spread if row["epoch"] == last]
        self._spread = [*before, *(row for row in tables["cells"] if row["split"] == "train")]
        return new, self._stop(findings)

    def findings(self) -> list[Finding]:
        """What holds after the last epoch."""
        return self._watch.findings()

    def state(self) -> Row:
        """Plain data beside the rows of `raised`, which are in the store."""
        return {"watch": self._watch.state(), "spread": self._spread, "known": sorted(self._known, key=repr)}

    def resume(self, raised: list[Row], state: Row) -> None:
        """Continue from the rows and the `state` of an earlier instance (empty: its unit has ended)."""
        self.raised = raised
        if state:
            self._watch.resume(state["watch"])
            self._spread = state["spread"]
            self._known = set(map(tuple, state["known"]))

    def _stop(self, findings: list[Finding]) -> str | None:
        named = sorted({finding.rule for finding in findings} & self.stop_rules)
        if named:
            return f"warning rule {', '.join(named)} (named in stop)"
        return vanished_spread(self._spread)
