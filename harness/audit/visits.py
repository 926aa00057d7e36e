"""Which training pairs the batches of an epoch visit, against what the configured sampler promises of them."""

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.audit.bounds import BY_CHANCE, is_deviation, is_omission, is_other_share
from harness.audit.breach import Breach
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject

IN_TURN = frozenset({"cell_batch"})
"""Samplers whose query pairs run through each cell line, and whose cell lines are different ones within a step."""
AT_RANDOM = frozenset({"cell_batch", "meta_batch", "random"})
"""Samplers that draw the pairs of a set at random. Of a person's own sampler neither is known."""
SAME_CHANCE = frozenset({"meta_batch"})
"""Samplers that draw every cell line alike; the others draw it in proportion to its training pairs."""
BEGINNINGS_KEPT = 16
"""Latest beginnings of a run through a cell line that a new one is compared with."""


class Visits:
    """`of_batch` looks at a batch as it is drawn, `of_epoch` at all batches of an epoch since `begin`.

    In turn: no query pair of a cell line comes again before fewer of its others are left than a query set holds, and a run
    through it does not begin as an earlier one did. At random: no training pairs are left out, and no cell lines, labels,
    places in the file or pairs of the episode before are preferred; sums over the unit against bounds that hold for every
    sound sampler.
    """

    def __init__(self, subject: Subject) -> None:
        name, dataset = subject.config.episode.sampler, subject.trainer.dataset
        self.sampler, self.in_turn, self.at_random = name, name in IN_TURN, name in AT_RANDOM
        self.query, self.names = subject.config.episode.query, [dataset.cell_lines[c] for c in subject.codes]
        cell = np.asarray(dataset.cell)
        self.line = np.searchsorted(subject.codes, cell)
        """Training cell line of a pair; meaningless for pairs of other ones."""
        self.pools = [subject.training[cell[subject.training] == code] for code in subject.codes]
        self.sizes = np.array([len(pool) for pool in self.pools], dtype=np.int64)
        self.traits = _traits(np.asarray(dataset.label), self.pools)
        self.visited = np.zeros(len(cell), dtype=bool)
        self.left = self.sizes.copy()
        self.beginnings: list[list[int]] = [[] for _ in self.pools]
        """By cell line, digests of the query pairs that a run through it began with."""
        self.seen: list[EpisodeBatch] = []
        self.tallies = {what: _Tally(self) for what in ("support", "query")}
        self.drawn, self.steps = np.zeros(len(self.pools)), 0
        """How often a cell line was the first of all that were drawn, and of how many times."""
        self.recent = np.zeros(len(cell), dtype=bool)
        """Query pairs of the latest episode of every cell line."""
        self.latest = [np.zeros(0, dtype=np.int64) for _ in self.pools]
        self.gap = self.variance = 0.0
        """Of the number of support pairs among these."""

    def begin(self) -> None:
        """An epoch begins."""
        self.visited[:] = False
        self.left = self.sizes.copy()
        self.seen.clear()

    def of_batch(self, batch: EpisodeBatch) -> Iterator[Breach]:
        """Of a batch of the configured sizes whose episodes are each of one cell line, where that is promised."""
        if self.at_random:
            self.seen.append(batch)
        if not self.in_turn:
            return
        lines = self.line[batch.query[:, 0]].tolist()
        for start in range(0, len(lines), len(self.pools)):
            part = lines[start : start + len(self.pools)]
            if len(set(part)) < len(part):
                twice = self.names[max(part, key=part.count)]
                yield Breach(
                    "lines of a step", "sampler", f"a step draws cell line {twice} twice before others"
                )
        for line, query, support in zip(lines, batch.query, batch.support, strict=True):
            self._beside_latest(line, query, support)
            yield from self._in_turn(line, query)

    def of_epoch(self) -> Iterator[Breach]:
        """Of the epoch that has just been trained, and of those before it."""
        seen, self.seen = self.seen, []
        if not seen:
            return
        support, query = (
            np.concatenate(parts) for parts in zip(*((b.support, b.query) for b in seen), strict=True)
        )
        self.tallies["support"].add(support, query)
        self.tallies["query"].add(query, None)
        first = [b.support[:1, 0] if self.in_turn else b.support[:, 0] for b in seen]
        lines = self.line[np.concatenate(first)]
        self.drawn, self.steps = (
            self.drawn + np.bincount(lines, minlength=len(self.sizes)),
            self.steps + len(lines),
        )
        share = np.full(len(self.sizes), 1 / len(self.sizes))
        if self.sampler not in SAME_CHANCE:
            share = self.sizes / self.sizes.sum()
        for line, (count, chance) in enumerate(zip(self.drawn.tolist(), share.tolist(), strict=True)):
            if is_other_share(count, self.steps, chance):
                said = f"{count:.0f} times of {self.steps}, at a chance of {chance:.2g}"
                text = f"cell line {self.names[line]} is drawn {said}"
                yield Breach("chance of lines", "sampler", text)
        if is_deviation(self.gap, self.variance):
            text = (
                "support sets prefer or avoid the query pairs of the episode before; they are drawn at random"
            )
            yield Breach("chance of latest", "sampler", text)
        for what, tally in self.tallies.items():
            for sentence in tally.faults():
                yield Breach(
                    f"chance of {what}", "sampler", f"{sentence} in {what} sets; they are drawn at random"
                )

    def state(self) -> dict[str, Any]:
        return {"beginnings": [list(digests) for digests in self.beginnings]}

    def resume(self, state: dict[str, Any]) -> None:
        self.beginnings = [list(digests) for digests in state["beginnings"]]

    def _beside_latest(self, line: int, query: np.ndarray, support: np.ndarray) -> None:
        """Count the support pairs among the query pairs of the cell line's episode before, and expect as many."""
        rest = int(self.sizes[line]) - len(query)
        chance = (len(self.latest[line]) - int(self.recent[query].sum())) / rest
        self.gap += int(self.recent[support].sum()) - len(support) * chance
        self.variance += len(support) * chance * (1 - chance)
        self.recent[self.latest[line]] = False
        self.recent[query], self.latest[line] = True, query

    def _in_turn(self, line: int, query: np.ndarray) -> Iterator[Breach]:
        size, name = int(self.sizes[line]), self.names[line]
        if self.left[line] < self.query:
            self.visited[self.pools[line]] = False
            self.left[line] = size
        if self.left[line] == size:
            few = (
                math.comb(size, self.query) * BY_CHANCE < 1
            )  # then their order tells one beginning from another
            digest, earlier = zlib.crc32((query if few else np.sort(query)).tobytes()), self.beginnings[line]
            if math.perm(size, self.query) * BY_CHANCE > 1 and digest in earlier:
                text = f"a run through cell line {name} begins with the query pairs that an earlier one began with"
                yield Breach("same beginning", "sampler", text)
            self.beginnings[line] = [*earlier, digest][-BEGINNINGS_KEPT:]
        again = int(self.visited[query].sum())
        if again:
            text = f"{again} query pairs of cell line {name} come again while {self.left[line]} others wait for their turn"
            yield Breach("in turn", "sampler", text)
        self.visited[query] = True
        self.left[line] -= len(query)


class _Tally:
    """Sets of pairs that were drawn so far: which pairs were in one, and sums of their traits against expectation."""

    def __init__(self, visits: Visits) -> None:
        self.line, self.sizes, self.pools, self.names = visits.line, visits.sizes, visits.pools, visits.names
        self.traits = visits.traits
        self.met = np.zeros(len(self.line), dtype=bool)
        self.log_miss = np.zeros(len(self.sizes))
        self.gap, self.variance = dict.fromkeys(self.traits, 0.0), dict.fromkeys(self.traits, 0.0)
        self.sets = 0

    def add(self, pairs: np.ndarray, beside: np.ndarray | None) -> None:
        """Sets [B, S] of which each is drawn among the pairs that are not `beside` it [B, Q]."""
        self.sets += len(pairs)
        self.met[pairs] = True
        lines, owner = len(self.sizes), np.arange(len(pairs))[:, None]

        def by_line(of: np.ndarray, trait: np.ndarray | None = None) -> np.ndarray:
            key = (owner * lines + self.line[of]).ravel()
            weights = None if trait is None else trait[of].ravel()
            return np.bincount(key, weights, minlength=len(pairs) * lines).reshape(-1, lines)

        count = by_line(pairs)
        self.log_miss += np.log1p(-np.minimum(count / self.sizes, 1 - 1e-9)).sum(0)
        rest = self.sizes - (0 if beside is None else by_line(beside))
        for name, trait in self.traits.items():
            total = np.array([trait[pool].sum() for pool in self.pools])
            squares = np.array([(trait[pool] ** 2).sum() for pool in self.pools])
            if beside is not None:
                total, squares = total - by_line(beside, trait), squares - by_line(beside, trait**2)
            mean = total / np.maximum(rest, 1)
            spread = np.maximum(squares / np.maximum(rest, 1) - mean**2, 0.0)
            self.gap[name] += float((by_line(pairs, trait) - count * mean).sum())
            self.variance[name] += float((count * spread).sum())

    def faults(self) -> Iterator[str]:
        for line, pool in enumerate(self.pools):
            missing = int((~self.met[pool]).sum())
            if is_omission(missing, len(pool), float(self.log_miss[line])):
                yield f"{missing} of {len(pool)} training pairs of cell line {self.names[line]} never were"
        for name, gap in self.gap.items():
            if is_deviation(gap, self.variance[name]):
                yield f"{name} is {'preferred' if gap > 0 else 'avoided'} ({gap:+.1f} over {self.sets} episodes)"


def _traits(label: np.ndarray, pools: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers in [0, 1] of all pairs that a draw at random does not prefer: the label, and the place in its pool."""
    place = np.zeros(len(label))
    for pool in pools:
        place[pool] = np.arange(len(pool)) / max(1, len(pool) - 1)
    return {"label 1": label.astype(float), "a late place in the file": place}
