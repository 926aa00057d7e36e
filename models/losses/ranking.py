"""Ranking losses within a cell line: pairwise logistic, and a smooth average precision."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import EVERY_SIDE, LossTerm, State, masked_mean
from models.sizes import Sizes
from models.streams import stream_seed

# R2 sequence: powers of the inverse plastic number, whose additive recurrence covers the unit square evenly.
STRIDE = (0.7548776662466927, 0.5698402909980532)


class RankingTerm(LossTerm):
    """Declarations that the two surrogates share; tau is the scale of logit differences, by default the surrogate's."""

    key = "ranking"
    weight = "loss.ranking.weight"
    order = 10
    in_phase1 = True
    ramps = True
    reads = frozenset({"logit", "label", "query_cell"})
    objectives = {("value", "SETG"): ("misordered pairs", "down")}
    needs = frozenset()
    reach = EVERY_SIDE

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        tau = settings["loss"]["ranking"]["tau"]
        return {} if tau is None else {"tau": tau}


@LOSSES.register(
    "ranking_pairwise",
    id="M31",
    name="pairwise logistic ranking",
    equation="mean over episodes of mean over (p, n) of one cell line of softplus(-(l_p - l_n)/tau)",
    shapes="logit [E, Q], label [E, Q], query_cell [E, Q] -> scalar",
    source="source document 004; Burges et al. 2005, RankNet",
)
class PairwiseRanking(RankingTerm):
    """softplus(-(l_p - l_n)/tau) over (positive p, negative n) of the same episode and cell line.

    Mean over an episode's pairs, then over the episodes that have one. All Q^2 / 4 pairs (the most there
    can be) where they are at most max_pairs; else max_pairs candidates per episode, drawn evenly over
    positives x negatives by an additive recurrence that starts at the stream (step.seed, "ranking",
    step.index): counted with torch.func in mind, where no generator can be used. Candidates of two cell
    lines are dropped.
    """

    chosen = {"loss.ranking.surrogate": "pairwise"}
    reads = RankingTerm.reads | {"seed", "index"}

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {**super().arguments(settings, sizes), "max_pairs": settings["loss"]["ranking"]["max_pairs"]}

    def __init__(self, tau: float = 1.0, max_pairs: int = 4096) -> None:
        super().__init__()
        self.tau = tau
        self.max_pairs = max_pairs

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        positive = step.label > 0.5
        if step.logit.shape[1] ** 2 // 4 <= self.max_pairs:
            difference = step.logit.unsqueeze(2) - step.logit.unsqueeze(1)
            same = step.query_cell.unsqueeze(2) == step.query_cell.unsqueeze(1)
            valid = (positive.unsqueeze(2) & ~positive.unsqueeze(1) & same).flatten(1)
            difference = difference.flatten(1)
        else:
            p, n, exists = self._sample(positive, step)
            difference = step.logit.gather(1, p) - step.logit.gather(1, n)
            valid = exists & (step.query_cell.gather(1, p) == step.query_cell.gather(1, n))
        weight = valid.to(difference.dtype)
        per_episode = (weight * softplus(-difference / self.tau)).sum(1) / weight.sum(1).clamp(min=1)
        return masked_mean(per_episode, valid.any(1).to(difference.dtype)), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The same mean over the same pairs, one episode after another."""
        positive = step.label > 0.5
        everything = step.logit.shape[1] ** 2 // 4 <= self.max_pairs
        p, n, exists = self._sample(positive, step) if not everything else (positive, positive, positive)
        losses = []
        for e in range(positive.shape[0]):
            if everything:
                above, below = (positive[e].unsqueeze(1) & ~positive[e]).nonzero(as_tuple=True)
            else:
                above, below = p[e][exists[e].expand_as(p[e])], n[e][exists[e].expand_as(n[e])]
            same = step.query_cell[e][above] == step.query_cell[e][below]
            same = same & positive[e][above] & ~positive[e][below]
            if bool(same.any()):
                gain = step.logit[e][above[same]] - step.logit[e][below[same]]
                losses.append(-logsigmoid(gain / self.tau).mean())
        return {"value": torch.stack(losses).mean() if losses else step.logit.new_zeros(())}

    def _sample(self, positive: Tensor, step: Step) -> tuple[Tensor, Tensor, Tensor]:
        """Positions of candidate positives and negatives [E, max_pairs], and whether the episode has both
        [E, 1]."""
        start = stream_seed(step.seed, "ranking", step.index)
        offsets = ((start & 0xFFFFFFFF) / 2**32, (start >> 32) / 2**31)
        episodes = torch.arange(positive.shape[0], device=positive.device, dtype=torch.float64).unsqueeze(1)
        turns = torch.arange(self.max_pairs, device=positive.device, dtype=torch.float64) + 1
        counter = turns + episodes * self.max_pairs
        candidates = []
        for members, offset, stride in zip((positive, ~positive), offsets, STRIDE, strict=True):
            order = torch.argsort(members.to(torch.int8), dim=1, descending=True, stable=True)
            count = members.sum(1, keepdim=True)
            place = (((offset + counter * stride) % 1.0) * count).long()
            candidates.append(order.gather(1, torch.minimum(place, (count - 1).clamp(min=0))))
        exists = positive.any(1, keepdim=True) & (~positive).any(1, keepdim=True)
        return candidates[0], candidates[1], exists


@LOSSES.register(
    "ranking_smooth_ap",
    id="M31",
    name="smooth average precision",
    equation="1 - mean_p (1 + sum_{j pos, j != p} s_pj) / (1 + sum_{j != p} s_pj), "
    "s_pj = sigmoid((l_j - l_p)/tau)",
    shapes="logit [E, Q], label [E, Q], query_cell [E, Q] -> scalar",
    source="source document 004; Brown et al. 2020, Smooth-AP",
)
class SmoothApRanking(RankingTerm):
    """1 - smooth AP in [0, 1), j over the queries of p's episode and cell line; tends to 1 - AP as tau -> 0. With logits
    of unit spread it follows AP closely (correlation 0.999) at tau = 0.05, and is more of a mean rank at tau = 1 (0.88).

    Mean over the positives whose cell line has a negative in the episode, then over the episodes that have
    one.
    """

    chosen = {"loss.ranking.surrogate": "smooth_ap"}

    def __init__(self, tau: float = 0.05) -> None:
        super().__init__()
        self.tau = tau

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        positive = (step.label > 0.5).to(step.logit.dtype)
        same = (step.query_cell.unsqueeze(2) == step.query_cell.unsqueeze(1)).to(step.logit.dtype)
        other = same * (1 - torch.eye(step.logit.shape[1], dtype=same.dtype, device=same.device))
        above = other * torch.sigmoid((step.logit.unsqueeze(1) - step.logit.unsqueeze(2)) / self.tau)
        precision = (1 + (above * positive.unsqueeze(1)).sum(2)) / (1 + above.sum(2))
        has_negative = ((same * (1 - positive).unsqueeze(1)).sum(2) > 0).to(precision.dtype)
        counted = positive * has_negative
        per_episode = (counted * precision).sum(1) / counted.sum(1).clamp(min=1)
        return masked_mean(1 - per_episode, (counted.sum(1) > 0).to(precision.dtype)), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The same mean, one positive after another."""
        episodes = []
        for logit, label, line in zip(step.logit, step.label > 0.5, step.query_cell, strict=True):
            lost = []
            for place in label.nonzero().flatten().tolist():
                others = line == line[place]
                others[place] = False
                if bool((others & ~label).any()):
                    above = torch.sigmoid((logit - logit[place]) / self.tau)
                    lost.append(1 - (1 + above[others & label].sum()) / (1 + above[others].sum()))
            if lost:
                episodes.append(torch.stack(lost).mean())
        return {"value": torch.stack(episodes).mean() if episodes else step.logit.new_zeros(())}
