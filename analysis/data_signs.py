"""What the data report found in the data of a run: flags and shortcuts without sequences, as the sweep stored them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.store import Run

FILE = "data_signs.json"


@dataclass(frozen=True)
class DataSigns:
    """`flags`: name -> what it says and what to do; `shortcuts`: rows with shortcut, parted (what it was held out by),
    auc, low (two standard errors below) and flag."""

    flags: Mapping[str, str]
    shortcuts: Sequence[Mapping[str, Any]]


def data_signs(run: Run) -> DataSigns | None:
    """Of the data on which the run's units were made; None where nobody looked, or at other data, or the document is not
    what it was (said in the run's problems)."""
    stored = run.document(FILE)
    if not stored or str(stored.get("data")) not in set(run.table("units")["data"].dropna().astype(str)):
        return None
    try:
        return DataSigns(dict(stored["flags"]), [dict(row) for row in stored["shortcuts"]])
    except (KeyError, TypeError, ValueError) as error:
        run.problems.append(f"{FILE} cannot be read: {type(error).__name__}: {error}")
        return None
