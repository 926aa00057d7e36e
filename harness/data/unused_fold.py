"""A fold that others did not use: of chromosomes that none of them held out, and cell lines that they did not, if any."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from analysis.errors import UserError
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, quarter_of, split


@dataclass(frozen=True)
class UnusedFold:
    """The `fold`, and what a person should know of it, in sentences."""

    fold: Fold
    notes: tuple[str, ...]


def unused_fold(dataset: EncodedDataset, used: Sequence[Fold]) -> UnusedFold:
    """A fold none of whose evaluated pairs lies where a fold in `used` evaluated: it holds out other chromosomes, about a
    quarter of the pairs. Its test lines, a fifth of all, are if possible neither test nor validation in `used`, else those
    that were only test there, else any, by name; of several that serve the last, as in the default fold.

    Raises
    ------
    UserError
        where `used` hold out all chromosomes but too few, or no choice of cell lines leaves both classes in each split.
    """
    held = set(chain.from_iterable(fold.chromosomes for fold in used))
    free = [code for code, name in enumerate(dataset.chromosomes) if name not in held]
    if not free:
        raise UserError(
            f"{dataset.origin}: the folds of the selection hold out all {len(dataset.chromosomes)} chromosomes, so that no "
            "pair is left that it did not use; a confirmation takes loci that are new: leave at least one chromosome out "
            "of data.folds, in a run of its own (--out)"
        )
    count = np.bincount(dataset.chrom, minlength=len(dataset.chromosomes))
    chromosomes = tuple(dataset.chromosomes[code] for code in quarter_of(count, free))
    selected = set(chain.from_iterable(fold.val for fold in used))
    tested = set(chain.from_iterable(fold.test for fold in used))

    def familiarity(line: str) -> int:
        return 2 if line in selected else 1 if line in tested else 0

    number = max(1, round(len(dataset.cell_lines) / 5))
    lines = sorted(sorted(dataset.cell_lines, reverse=True), key=familiarity)
    refusal: UserError | None = None
    for shift in range(len(lines)):
        turned = [*lines[shift:], *lines[:shift]]
        test, val = turned[:number], turned[number : 2 * number]
        fold = Fold("confirmation", tuple(sorted(test)), tuple(sorted(val)), chromosomes, used[0].settings)
        try:
            split(dataset, fold)
        except UserError as error:
            refusal = refusal or error
            continue
        return UnusedFold(fold, tuple(_notes(fold, tested, selected)))
    raise UserError(f"no fold is left that selection did not use: {refusal}")


def _notes(fold: Fold, tested: set[str], selected: set[str]) -> list[str]:
    """What is new of a fold."""
    known = [line for line in fold.test if line in selected]
    reported = [line for line in fold.test if line in tested and line not in selected]
    said = [
        f"no fold of the selection held out {', '.join(fold.chromosomes)}: there its models trained on these loci, and "
        "nothing was chosen by them; the fold is made for the confirmation, whatever folds the YAML names"
    ]
    if known:
        said.append(
            f"test cell line{'s' * (len(known) > 1)} {', '.join(known)}: validation of the selection on other loci"
        )
    if reported:
        said.append(
            f"test cell line{'s' * (len(reported) > 1)} {', '.join(reported)}: only reported on by the selection"
        )
    return said
