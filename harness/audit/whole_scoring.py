"""All splits of a scoring at once: whether it is in order, which spares looking at them one by one."""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from harness.audit.alike import alike
from harness.audit.cell_features import is_of_others
from harness.audit.promised import PromisedSplit
from harness.audit.sequences import Sequences
from harness.audit.support_sets import SupportSets
from harness.audit.witness import Arrival, Witness, row_of
from harness.trial.score.predict import SplitScores


class PromisedScoring(NamedTuple):
    """What a scoring has to be of: `whole`, its splits one after the other, and the number of pairs and of cell lines of
    each; `lines` [N]: number of each pair's cell line in the upper half of an int64; `bases`: what a glimpse has to be."""

    whole: PromisedSplit
    pairs: list[int]
    lines: list[int]
    bases: list[np.ndarray]

    @classmethod
    def of(cls, splits: Sequence[PromisedSplit], sequences: Sequences) -> "PromisedScoring":
        """Of these splits, in the order in which they are scored."""
        pairs, lines = [len(split.pairs) for split in splits], [len(split.codes) for split in splits]
        rows = zip(splits, np.cumsum([0, *pairs]), strict=False)
        numbers = zip(splits, np.cumsum([0, *lines]), strict=False)
        whole = PromisedSplit(
            np.concatenate([split.pairs for split in splits]),
            np.concatenate([split.label for split in splits]),
            np.concatenate([split.cell for split in splits]),
            [code for split in splits for code in split.codes],
            np.concatenate([split.trained for split in splits]),
            np.concatenate([split.order + row for split, row in rows]),
            np.concatenate([split.number + (number << 32) for split, number in numbers]),
        )
        return cls(whole, pairs, lines, sequences.bases(whole.pairs))


class WholeScoring:
    """`holds` says whether a scoring keeps all promises of `ScoreContract`, with the support draws that were `judged` split
    by split before; where it does not, or cannot be told, the splits are to be looked at one by one."""

    def __init__(
        self, promised: Mapping[str, PromisedSplit], sequences: Sequences, features: np.ndarray | None
    ) -> None:
        self.promised, self.sequences, self.features = promised, sequences, features
        self.of_names: dict[tuple[str, ...], PromisedScoring] = {}
        self.known: dict[tuple[str, ...], int] = {}
        """Names of splits -> hash of their support draws that were judged last."""
        self.drawn = 0

    def holds(
        self, witness: Witness, scores: Mapping[str, SplitScores], shape: tuple[int, int], number: int
    ) -> bool:
        """Of scoring `number` with support sets of `shape` (draws, size), which the witness saw from its beginning."""
        names, splits, arrivals = tuple(scores), list(scores.values()), witness.arrivals
        if names not in self.of_names:
            parts = [self.promised[name] for name in names]
            self.of_names[names] = PromisedScoring.of(parts, self.sequences)
        promised = self.of_names[names]
        whole, self.drawn = promised.whole, 0
        shapes = [(shape[0], size) for size in promised.pairs]
        if [split.logits.shape for split in splits] != shapes or len(arrivals) != len(whole.codes):
            return False
        made = _Scores(*(np.concatenate([split[at] for split in map(_columns, splits)]) for at in range(4)))
        sets = SupportSets.of(arrivals, shape)
        if sets is None or not _are_pairs(made, whole) or not self._of_lines(sets, arrivals, whole):
            return False
        logits = np.concatenate([split.logits for split in splits], 1)
        if not (_are_answers(arrivals, made.u, logits, whole) and self._are_read(witness, made.u, promised)):
            return False
        if not _have_features(witness, sets, made.u, promised.lines, number):
            return False
        places = _rows(sets.u, made.u, whole)
        if places is None:
            return False
        self.drawn = zlib.crc32(places.tobytes())
        return self.known.get(names) == self.drawn

    def judged(self, scores: Mapping[str, SplitScores]) -> None:
        """The splits of the scoring that was asked for last were looked at one by one, and nothing was found."""
        self.known[tuple(scores)] = self.drawn

    def _of_lines(self, sets: SupportSets, arrivals: Sequence[Arrival], whole: PromisedSplit) -> bool:
        """No labels are shown, and names and features are those of the cell lines."""
        if sets.labelled.any() or (sets.names != whole.trained[:, None]).any():
            return False
        features = [arrival.v for arrival in arrivals if arrival.v is not None]
        if self.features is None or not features:
            return True
        expected = np.repeat(self.features[whole.codes], sets.u.shape[1], axis=0)
        return len(features) == len(arrivals) and not is_of_others(torch.cat(features), expected)

    def _are_read(self, witness: Witness, u: np.ndarray, promised: PromisedScoring) -> bool:
        """U_I of every pair, and the sequences that were read, are those of one pass."""
        encodings = witness.encodings
        made = torch.cat([part.u for part in encodings]).float().cpu().numpy() if encodings else None
        return (
            made is not None
            and alike(made, u)
            and self.sequences.is_read(promised.bases, [part.seen for part in encodings])
        )


class _Scores(NamedTuple):
    pairs: np.ndarray
    label: np.ndarray
    cell: np.ndarray
    u: np.ndarray


def _columns(split: SplitScores) -> _Scores:
    return _Scores(split.pairs, split.label, split.cell, split.u)


def _are_pairs(made: _Scores, whole: PromisedSplit) -> bool:
    """Every pair once, in order, with its own label and cell line."""
    return alike(made.pairs, whole.pairs) and alike(made.label, whole.label) and alike(made.cell, whole.cell)


def _are_answers(
    arrivals: Sequence[Arrival], u: np.ndarray, logits: np.ndarray, whole: PromisedSplit
) -> bool:
    """What the energy was given and gave is what the pairs are scored with."""
    answers = [arrival.scored for arrival in arrivals if arrival.scored is not None]
    if len(answers) < len(arrivals):
        return not answers
    potentials, gave = (torch.cat(parts, 1).float().cpu().numpy() for parts in zip(*answers, strict=True))
    return bool(
        potentials.shape == gave.shape == logits.shape
        and (potentials == u.take(whole.order)).all()
        and alike(gave, logits.take(whole.order, 1))
    )


def _have_features(
    witness: Witness, sets: SupportSets, u: np.ndarray, lines: Sequence[int], number: int
) -> bool:
    """The features of one support pair of each split are those of a pair with its U_I."""
    first = 0
    for count in lines:
        at = first + number % count
        first += count
        z_i, places = witness.arrivals[at].z_i[0, 0], np.flatnonzero(u == sets.u[at, 0, 0])
        rows = (row_of(witness.encodings, place) for place in places.tolist())
        if not any(torch.equal(row.float(), z_i) for row in rows):
            return False
    return True


def _rows(support: np.ndarray, u: np.ndarray, whole: PromisedSplit) -> np.ndarray | None:
    """Of each support value [K, D, S] a row among the pairs of its cell line that have it; None where none has."""
    known = u[whole.order].view(np.uint32) | whole.number
    rising = np.argsort(known)
    known = known[rising]
    keys = support.view(np.uint32) | (np.arange(len(support)) << 32)[:, None, None]
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return whole.order[rising][at] if bool((known[at] == keys).all()) else None
