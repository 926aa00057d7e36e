"""What has to be said beside the number of the first configuration: its faults, and where the baselines are."""

import math
from dataclasses import dataclass

import pandas as pd

from analysis.labels import first_settings
from analysis.output import counted
from analysis.ranking import Ranking


@dataclass(frozen=True)
class StandingVerdict:
    """Of one configuration: `faults` (rules of severity fault that neither data nor sizes imply), the `best` baseline with
    its `value`, how many of the `baselines` it is not above, and `beside`: its interval lies above the best baseline, below
    it or is unclear; empty without a baseline. `none_above`: no ranked configuration is above the best baseline. On test,
    by macro AUPR: `tested` is that of the configuration, `test_best` the best baseline there with `test_value`, empty and
    NaN where one of the two is not known."""

    faults: tuple[str, ...]
    best: str
    value: float
    ahead: int
    baselines: int
    beside: str
    none_above: bool
    tested: float = math.nan
    test_best: str = ""
    test_value: float = math.nan
    reached: tuple[str, ...] = ()
    """Baselines within the interval of a configuration that is below every one."""

    @property
    def behind_on_test(self) -> bool:
        """Whether a baseline is at least as good on test, which chose nothing."""
        return self.test_value >= self.tested

    @property
    def below_every(self) -> bool:
        return 0 < self.baselines == self.ahead


def verdict(ranking: Ranking, config: str | None = None) -> StandingVerdict:
    """Of a ranked configuration, the first one by default."""
    rows, by = ranking.configurations, ranking.by
    row = rows.iloc[0] if config is None else rows[rows["config"] == config].iloc[0]
    faults = faults_of(ranking, str(row["config"]))
    known = ranking.baselines[ranking.baselines[by.key].notna()]
    if known.empty:
        return StandingVerdict(faults, "", math.nan, 0, 0, "", False)
    first = known.iloc[0]
    ahead = sum(not by.gain(row["value"] - value) > 0 for value in known[by.key])
    low, high = by.gain(row["low"] - first[by.key]), by.gain(row["high"] - first[by.key])
    beside = "above" if min(low, high) > 0 else "below" if max(low, high) < 0 else "unclear"
    edge = max(by.gain(row["low"]), by.gain(row["high"]))
    within = [
        str(name)
        for name, value in zip(known["baseline"], known[by.key], strict=True)
        if edge >= by.gain(value)
    ]
    none_above = not by.gain(float(rows["value"].iloc[0]) - float(first[by.key])) > 0
    return StandingVerdict(
        faults,
        str(first["baseline"]),
        float(first[by.key]),
        ahead,
        len(known),
        beside,
        none_above,
        float(row["test_aupr"]),
        *_best_on_test(ranking.baselines),
        reached=tuple(within) if ahead == len(known) else (),
    )


def _best_on_test(baselines: pd.DataFrame) -> tuple[str, float]:
    known = baselines[baselines["test_aupr"].notna()]
    if known.empty:
        return "", math.nan
    best = known.sort_values("test_aupr").iloc[-1]
    return str(best["baseline"]), float(best["test_aupr"])


def faults_of(ranking: Ranking, config: str) -> tuple[str, ...]:
    """Rules of severity fault that a configuration broke, and that neither data nor sizes imply."""
    raised: pd.DataFrame = ranking.findings
    its = raised[(raised["config"] == config) & ~raised["implied"] & (raised["severity"] == "fault")]
    return tuple(sorted(set(its["rule"])))


def verdict_sentence(ranking: Ranking) -> str:
    """The verdict on the first configuration for a terminal: number, baselines, faults, and how far it is decided."""
    rows, told = ranking.configurations, verdict(ranking)
    row = rows.iloc[0]
    parts = [f"#1 {first_settings(row['label'])} ({row['short']}): {ranking.by.label} {row['value']:.3f}"]
    above, below = ("above", "below") if ranking.by.higher_is_better else ("better than", "worse than")
    if told.below_every:
        some = told.reached[0] if len(told.reached) == 1 else f"{len(told.reached)} of them"
        reach = f", {some} within its interval" if told.reached else ""
        parts.append(f"{below} every baseline{reach} (best: {told.best} {told.value:.3f})")
    elif told.baselines:
        words = {"above": above, "below": below, "unclear": "not clearly apart from"}
        parts.append(f"{words[told.beside]} the best baseline ({told.best} {told.value:.3f})")
    if told.behind_on_test:
        reached, best = f"{told.tested:.3f}", f"baseline {told.test_best} {told.test_value:.3f}"
        parts.append(f"on test, which chose nothing, not above {best} (macro AUPR {reached})")
    if told.faults:
        parts.append(f"carries {counted(len(told.faults), 'fault')}: {', '.join(told.faults)}")
    rivals = int(rows["tie"].isin(["unknown", "better"]).sum())
    if rivals:
        compared = int((rows["tie"] != "apart").sum()) - 1
        parts.append(f"{rivals} of {compared} others cannot be told apart from it")
    return "; ".join(parts)
