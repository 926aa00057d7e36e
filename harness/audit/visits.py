"""Which training pairs the batches of an epoch visit, against what the configured sampler promises of them."""

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.audit.bounds import (
    BY_CHANCE,
    is_deviation,
    is_omission,
    is_other_share,
    log_choices,
    log_orders,
)
from harness.audit.breach import Breach
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject

IN_TURN = frozenset({"cell_batch"})
"""Samplers whose query pairs run through each cell line, and whose cell lines are different ones within a step."""
AT_RANDOM = frozenset({"cell_batch", "meta_batch", "random"})
"""Samplers that draw the pairs of a set at random. Of a person's own sampler neither is known."""
SAME_CHANCE = frozenset({"meta_batch"})
"""Samplers that draw every cell line alike; the others draw it in proportion to its training pairs."""
NEVER = -1
"""Number of no episode."""
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
        self.count = 0
        """Number of the next episodes that are looked at together, from the first of the unit on."""
        self.last = np.full(len(cell), NEVER)
        """Number of the latest episode that had a pair as query."""
        self.left, self.start = self.sizes.tolist(), [0] * len(self.pools)
        """Pairs of a cell line that wait for their turn, and since which number they do."""
        self.latest = [NEVER - 1] * len(self.pools)
        """Number of a cell line's latest episode."""
        self.beginnings: list[list[int]] = [[] for _ in self.pools]
        """By cell line, digests of the query pairs that a run through it began with."""
        sizes = [max(len(pool), self.query) for pool in self.pools]
        self.ordered = [log_choices(size, self.query) < -math.log(BY_CHANCE) for size in sizes]
        self.telling = [log_orders(size, self.query) > -math.log(BY_CHANCE) for size in sizes]
        """Whether the order of its query pairs tells one beginning of a cell line from another, and whether these do."""
        self.seen: list[EpisodeBatch] = []
        self.tallies = {what: _Tally(self) for what in ("support sets", "query sets")}
        self.drawn, self.steps = np.zeros(len(self.pools)), 0
        """How often a cell line was the first of all that were drawn, and of how many times."""
        self.gap = self.variance = 0.0
        """Of the number of support pairs among the query pairs of the cell line's episode before."""

    def begin(self) -> None:
        """An epoch begins."""
        self.left, self.start = self.sizes.tolist(), [self.count] * len(self.pools)
        self.seen.clear()

    def of_batch(self, batch: EpisodeBatch, pairs: np.ndarray) -> Iterator[Breach]:
        """Of a batch of the configured sizes whose episodes are each of one cell line, where that is promised; `pairs`
        [E, S + Q]: support and query of it."""
        if self.at_random:
            self.seen.append(batch)
        if not self.in_turn:
            return
        lines = self.line[batch.query[:, 0]].tolist()
        for start in range(0, len(lines), len(self.pools)):
            part = slice(start, start + len(self.pools))
            yield from self._of_part(lines[part], pairs[part])

    def of_epoch(self) -> Iterator[Breach]:
        """Of the epoch that has just been trained, and of those before it."""
        seen, self.seen = self.seen, []
        if not seen:
            return
        support, query = (
            np.concatenate(parts) for parts in zip(*((b.support, b.query) for b in seen), strict=True)
        )
        self.tallies["support sets"].add(support, query)
        self.tallies["query sets"].add(query, None)
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
                times = f"{count:.0f} times of {self.steps}"
                text = f"cell line {self.names[line]} is drawn {times}, at a chance of {chance:.2g}"
                yield Breach("chance of lines", "sampler", text)
        if is_deviation(self.gap, self.variance):
            text = (
                "support sets prefer or avoid the query pairs of the episode before; they are drawn at random"
            )
            yield Breach("chance of latest", "sampler", text)
        for what, tally in self.tallies.items():
            for sentence in tally.faults(what):
                yield Breach(f"chance of {what}", "sampler", f"{sentence}; they are drawn at random")

    def state(self) -> dict[str, Any]:
        return {"beginnings": [list(digests) for digests in self.beginnings]}

    def resume(self, state: dict[str, Any]) -> None:
        self.beginnings = [list(digests) for digests in state["beginnings"]]

    def _of_part(self, lines: list[int], pairs: np.ndarray) -> Iterator[Breach]:
        """Of episodes of different cell lines, all at once; one after the other where a line comes twice."""
        if len(set(lines)) < len(lines):
            twice = self.names[max(lines, key=lines.count)]
            yield Breach("lines of a step", "sampler", f"a step draws cell line {twice} twice before others")
            for line, row in zip(lines, pairs, strict=True):
                yield from self._of_part([line], row[None])
            return
        query, last = pairs[:, -self.query :], self.last[pairs]
        self._beside_latest(lines, last == np.array([self.latest[line] for line in lines])[:, None])
        yield from self._in_turn(lines, query, last[:, -self.query :])
        self.last[query] = self.count
        for line in lines:
            self.latest[line] = self.count
            self.left[line] -= self.query
        self.count += 1

    def _beside_latest(self, lines: list[int], latest: np.ndarray) -> None:
        """Count the support pairs among the query pairs of each cell line's episode before, and expect as many; `latest`
        bool [K, S + Q]: which of the support and query pairs were these."""
        size, among = latest.shape[1] - self.query, latest[:, -self.query :]
        count = np.count_nonzero(among)
        again = among.sum(1).tolist() if count else [0] * len(lines)
        self.gap += np.count_nonzero(latest) - count
        for line, pairs in zip(lines, again, strict=True):
            before = self.query if self.latest[line] >= 0 else 0
            chance = (before - pairs) / (len(self.pools[line]) - self.query)
            self.gap -= size * chance
            self.variance += size * chance * (1 - chance)

    def _in_turn(self, lines: list[int], query: np.ndarray, last: np.ndarray) -> Iterator[Breach]:
        """Of query pairs [K, Q] and the number of the latest episode of each."""
        for line, pairs in zip(lines, query, strict=True):
            size = len(self.pools[line])
            if self.left[line] < self.query:
                self.left[line], self.start[line] = size, self.count
            if self.left[line] == size:
                yield from self._beginning(line, pairs)
        again = last >= np.array([self.start[line] for line in lines])[:, None]
        if np.count_nonzero(again):
            at = int(np.argmax(again.any(1)))
            line, count, others = self.names[lines[at]], int(again[at].sum()), self.left[lines[at]]
            text = f"{count} query pairs of cell line {line} come again while {others} others wait for their turn"
            yield Breach("in turn", "sampler", text)

    def _beginning(self, line: int, query: np.ndarray) -> Iterator[Breach]:
        """A run through a cell line begins with these query pairs."""
        digest = zlib.crc32((query if self.ordered[line] else np.sort(query)).tobytes())
        earlier = self.beginnings[line]
        if self.telling[line] and digest in earlier:
            text = f"a run through cell line {self.names[line]} begins with the query pairs that an earlier one began with"
            yield Breach("same beginning", "sampler", text)
        self.beginnings[line] = [*earlier, digest][-BEGINNINGS_KEPT:]


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

    def faults(self, sets: str) -> Iterator[str]:
        """What no chance gives, in words; `sets`: how the sets are called."""
        for line, pool in enumerate(self.pools):
            missing = int((~self.met[pool]).sum())
            if is_omission(missing, len(pool), float(self.log_miss[line])):
                yield f"{missing} of {len(pool)} training pairs of cell line {self.names[line]} never were in {sets}"
        for name, gap in self.gap.items():
            if is_deviation(gap, self.variance[name]):
                way = "preferred" if gap > 0 else "avoided"
                yield f"{name} is {way} in {sets} ({gap:+.1f} over {self.sets} episodes)"


def _traits(label: np.ndarray, pools: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers in [0, 1] of all pairs that a draw at random does not prefer: the label, and the place in its pool."""
    place = np.zeros(len(label))
    for pool in pools:
        place[pool] = np.arange(len(pool)) / max(1, len(pool) - 1)
    return {"label 1": label.astype(float), "a late place in the file": place}
