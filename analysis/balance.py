"""Means over folds that are the same folds for every seed."""

from collections.abc import Sequence

import pandas as pd


def common_to_seeds(rows: pd.DataFrame, over: Sequence[str], within: Sequence[str] = ()) -> pd.Series:
    """Which rows [n] to average so that every seed is a mean over the same combinations of `over`.

    A seed that lacks a fold would otherwise be a mean over easier or harder folds than its rivals. True where
    all seeds of the row's group `within` have its combination of `over`; where no combination is common to all
    seeds, all rows of the group are True, and `mixed` says so.
    """
    common = _common(rows, over, within)
    return common | mixed(rows, over, within)


def mixed(rows: pd.DataFrame, over: Sequence[str], within: Sequence[str] = ()) -> pd.Series:
    """True [n] where the seeds of the row's group `within` have no combination of `over` in common."""
    common = _common(rows, over, within)
    if not within:
        return pd.Series(not common.any(), index=rows.index)
    return ~common.groupby([rows[column] for column in within]).transform("any").astype(bool)


def _common(rows: pd.DataFrame, over: Sequence[str], within: Sequence[str]) -> pd.Series:
    seeds = rows.groupby(list(within))["seed"].transform("nunique") if within else rows["seed"].nunique()
    having = rows.groupby([*within, *over])["seed"].transform("nunique")
    common: pd.Series = having == seeds
    return common
