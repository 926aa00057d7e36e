"""What the data report found in the data of a run: flags and shortcuts without sequences, as the sweep stored them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from analysis.store import Run

FILE = "data_signs.json"
OF_SOURCE = ("random_split", "shared_loci", "promoter_propensity", "enhancer_propensity")
"""Flags of the split that came with the data. Folds of a run hold out cell lines, and chromosomes with all elements on
them, so that none of these is a fault of its numbers."""


@dataclass(frozen=True)
class DataSigns:
    """`flags`: name -> what it says and what to do; `shortcuts`: rows with shortcut, parted (what it was held out by),
    auc, low (two standard errors below) and flag."""

    flags: Mapping[str, str]
    shortcuts: Sequence[Mapping[str, Any]]

    @property
    def of_source(self) -> list[str]:
        """Flags of the source's split, which a run does not evaluate on."""
        return [flag for flag in self.flags if flag in OF_SOURCE]

    @property
    def of_pairs(self) -> list[str]:
        """Flags of the pairs themselves, on any split."""
        return [flag for flag in self.flags if flag not in OF_SOURCE]


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


def signs_view(run: Run) -> Iterator[Text]:
    """A line for every flag of the pairs, and one for those of their source's split; none where nothing is flagged."""
    signs = data_signs(run)
    if signs is None:
        return
    for flag in signs.of_pairs:
        yield Text(f"data: {flag}: {signs.flags[flag]}", style="yellow")
    if signs.of_source:
        yield Text(
            f"data: {', '.join(signs.of_source)}: of the data's own split, or of random parts where there is none, which "
            "this run's folds replace (python -m analysis report says more)"
        )
