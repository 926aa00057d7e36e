"""Supervised InfoNCE on environment representations, with negatives from earlier steps."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from models.declared import GIVEN, POSITIVE, declare
from models.episode import Step
from models.losses.bank import write_ring
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, LossTerm, State, ages_of, masked_mean
from models.registry import TRAINING

MASKED = -1e9


@LOSSES.register(
    "contrastive",
    id="M35",
    name="supervised InfoNCE with memory bank",
    equation="mean_i -1/|P(i)| sum_{p in P(i)} log(exp(s_ip) / sum_{j != i} (1 - h_ij) exp(s_ij)), "
    "s_ij = cos(z_E(i), z_E(j)) / tau, h_ij in [0, 1] the relation of the cell lines of i and j (0: none)",
    shapes="z_e [E, w], cell [E]; bank z_e [B, w], cell [B], written [B], pointer -> scalar",
    source="source document 003; Khosla et al. 2020, eq. 2; He et al. 2020 (bank)",
)
class Contrastive(LossTerm):
    """Anchors: this step's z_E; candidates: the step's other z_E and the bank's (without gradient); P(i):
    same cell.

    Hierarchical weights: relations h [C, C] in [0, 1] between cell lines say how far two of them are no negatives of
    each other, so that related lines are not pushed apart as strangers are (semantic negatives, source
    document 003). A candidate weighs 1 - h_ij in the sum below the fraction, a positive always 1: at h = 0 it is the
    plain loss, at h = 1 the candidate is left out. Related cell lines are no positives: nothing pulls them together.

    Episodes of one cell line alone still get negatives of other cell lines from the bank. Anchors without a
    positive do not count; episodes of no training cell line (-1) are neither anchor nor candidate and are not
    stored as one. The bank holds the last B rows, normalised, and the step in which each was written. With
    B = 0 and E different cell lines per step there is never a positive, and the term is 0.
    """

    key = "contrastive"
    weight = "loss.contrastive.weight"
    order = 30
    in_phase1 = False
    ramps = True
    reads = frozenset({"z_e", "cell", "index"})
    permutes = "cell"
    objectives = {("value", "ET"): ("contrast", "down")}
    needs = frozenset({"z_e", "single_line_support"})
    takes = ("width", "relations")
    reach = ENVIRONMENT

    related: Tensor | None

    def __init__(
        self, width: int, tau: float = 0.2, bank: int = 256, relations: Tensor | None = None
    ) -> None:
        super().__init__()
        if relations is not None and not bool(((relations >= 0) & (relations <= 1)).all()):
            raise ValueError("relations between cell lines have to lie in [0, 1]")
        related = None
        if relations is not None:
            related = torch.maximum(relations, relations.T) * (1 - torch.eye(relations.shape[0]))
        self.register_buffer("related", related, persistent=False)
        self.width = width
        self.tau = tau
        self.bank = bank

    def initial_state(self) -> State:
        return {
            "z_e": torch.zeros(self.bank, self.width),
            "cell": torch.full((self.bank,), -1),
            "written": torch.full((self.bank,), -1),
            "pointer": torch.tensor(0),
        }

    def report(self, state: State, index: int) -> dict[str, Tensor]:
        """bank_fill: share of the bank that holds a training cell line's row; ages of those rows in steps."""
        held = state["cell"] >= 0
        if held.numel() == 0:
            return {}
        return {"bank_fill": held.double().mean(), **ages_of(state["written"], held, index, "bank")}

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        z = normalize(step.z_e, dim=-1, eps=1e-8)
        candidates = torch.cat([z, state["z_e"].detach().to(z.dtype)])
        cell = torch.cat([step.cell, state["cell"]])
        episodes = z.shape[0]
        place = torch.arange(cell.shape[0], device=z.device)
        valid = (cell >= 0) & (place != place[:episodes].unsqueeze(1))
        similarity = torch.where(valid, z @ candidates.T / self.tau, MASKED)
        positive = valid & (cell == step.cell.unsqueeze(1))
        log_share = similarity - self._weighed(similarity, step.cell, cell).logsumexp(1, keepdim=True)
        count = positive.sum(1)
        per_anchor = -torch.where(positive, log_share, 0.0).sum(1) / count.clamp(min=1)
        loss = masked_mean(per_anchor, ((count > 0) & (step.cell >= 0)).to(z.dtype))
        columns = {name: state[name] for name in ("z_e", "cell", "written")}
        rows = {"z_e": z, "cell": step.cell, "written": torch.full_like(step.cell, step.index)}
        filled, pointer = write_ring(columns, state["pointer"], rows)
        return loss, {**filled, "pointer": pointer}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The same mean, one anchor after another."""
        every = torch.cat([step.z_e, state["z_e"].detach().to(step.z_e.dtype)])
        cell = torch.cat([step.cell, state["cell"]])
        losses = []
        for e, line in enumerate(step.cell.tolist()):
            others = cell >= 0
            others[e] = False
            positive = others & (cell == line)
            if line < 0 or not bool(positive.any()):
                continue
            similar = (cosine_similarity(step.z_e[e], every, eps=1e-8) / self.tau).exp()
            kept = 1.0 if self.related is None else 1 - self.related[line][cell[others]].to(similar.dtype)
            losses.append(-(similar[positive] / (kept * similar[others]).sum()).log().mean())
        return {"value": torch.stack(losses).mean() if losses else step.z_e.new_zeros(())}

    def _weighed(self, similarity: Tensor, anchor: Tensor, candidate: Tensor) -> Tensor:
        """ln((1 - h_ij) exp(s_ij)) [E, E + B] of anchors of cell lines anchor [E]; candidates of none (-1) are masked."""
        if self.related is None:
            return similarity
        related = self.related.to(similarity.dtype)[anchor.clamp(min=0)][:, candidate.clamp(min=0)]
        kept = torch.log1p(-related.clamp(max=1 - 1e-7))
        return torch.where(related < 1, similarity + kept, MASKED)


declare(
    "M35", "contrastive_relations", kind="weights of negatives", name="hierarchical weights of negatives",
    when={"loss.contrastive.weight": POSITIVE, "loss.contrastive.relations": GIVEN},
    equation="below the fraction a candidate j of anchor i weighs 1 - h_ij, h_ij the relation of their cell lines",
    shapes="relations [C, C] -> weights [E, E + B]", source="source document 003 (semantic negatives)",
    off={"loss.contrastive.relations": []},
    acts=TRAINING, reads=frozenset({"cell_line"}),
)  # fmt: skip
