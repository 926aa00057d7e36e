"""R_E from z_E: per cell line, or per pair (sample scope), relative to the training cell lines."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.declared import declare
from models.environment.fusion import fuse
from models.part import ModelPart
from models.registry import EVERYWHERE
from models.running import running_means
from models.stopped import stopped


class Reference(NamedTuple):
    """Running values of the C training cell lines, the state that R_E is standardised and centred with.

    r [C]: EMA of the raw cell part of R_E; z_e [C, w]: EMA of z_E; seen [C]: 1 once a cell line was met.
    """

    r: Tensor
    z_e: Tensor
    seen: Tensor

    @classmethod
    def initial(cls, cell_lines: int, width: int) -> "Reference":
        """Nothing seen yet."""
        return cls(torch.zeros(cell_lines), torch.zeros(cell_lines, width), torch.zeros(cell_lines))

    def update(self, cell: Tensor, r: Tensor, z_e: Tensor, momentum: float = 0.9) -> "Reference":
        """A new reference after episodes of cell lines cell [E] with raw r [E] and z_e [E, w]; no gradient.

        Means as in `models.running.running_means`: the first meeting of a cell line sets its values.
        """
        new_r, _ = running_means(self.r, self.seen, cell, r, momentum)
        new_z, seen = running_means(self.z_e, self.seen, cell, z_e, momentum)
        return Reference(new_r, new_z, seen)

    def to(self, device: torch.device | str) -> "Reference":
        """The same state on a device."""
        return Reference(*(part.to(device) for part in self))

    def mean_z_e(self) -> Tensor:
        """Mean z_E [w] over the cell lines seen; 0 before any."""
        return (self.seen @ self.z_e) / self.seen.sum().clamp(min=1)

    def spread_z_e(self) -> Tensor:
        """Root mean square deviation [] of z_E from its mean over seen cell lines and dimensions; 1 until two are seen."""
        count = self.seen.sum()
        square = (self.z_e - self.mean_z_e()).square().mean(1)
        mean = (self.seen * square).sum() / count.clamp(min=1)
        return torch.where(count >= 2, (mean + 1e-6).sqrt(), torch.ones_like(mean))


FLOOR = 0.1
"""Standard deviation of raw R_E under which cell lines that hardly differ are not spread any further."""


class ResistanceOutput(NamedTuple):
    """r: R_E [E, 1] of a cell line, or [E, Q] at sample scope and in mixed episodes, as the energy hears it; raw: its
    cell part before softplus or standardisation, fused, for Reference.update; cell: R_E(c), fused; student [R] and
    teacher: R_S(c) and R_T(c) in the units of R_E with their whole gradient (teacher None without one); heard [R]:
    R_S(c) as an energy hears it. cell, raw and teacher are [E], or [E, Q] where query pairs of one episode are of
    several cell lines."""

    r: Tensor
    raw: Tensor
    cell: Tensor
    student: Tensor
    teacher: Tensor | None
    heard: Tensor


def beside(of_episodes: Tensor, like: Tensor) -> Tensor:
    """Values [E] of episodes in a shape that goes with values `like`, [E] or one per query pair [E, Q]."""
    return of_episodes if like.ndim == of_episodes.ndim else of_episodes.unsqueeze(-1)


class ZeroLinear(nn.Linear):
    """A linear map without bias that starts at zero: the product it is part of starts at 0 and learns at once."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)


class Resistance(ModelPart):
    """R_E(c) = f(g(z_E(c))), R_E(x, c) = f(g(z_E(c))) + <A (z_E(c) - mean_seen z_E) / s, B sg z_I(x)> (M16).

    g = linear to one value, raw; standardise: g = (raw - mean_seen) / sd_seen over the reference, and g = raw until two
    cell lines are seen (sd = sqrt(variance + FLOOR^2), no gradient). f = softplus where nonnegative, else the identity.
    With a Teacher, R_E(c) is the fusion of f(g_T) and f(g_S) (M26). A [rank, w] starts at zero, B [rank, d] at random.

    Shapes: z_e [R, w], R = E rows of episodes, or rows of which owner [E, Q] names that of each query pair; z_i
    [E, Q, d] (not read at cell scope), reference of C cell lines; raw [R] in place of linear(z_E) unless None; teacher
    (raw_T, share), both [E], or [E, Q] for query pairs of several cell lines. Range: R; where nonnegative, R_E(c) > 0
    and R_E(x, c) deviates from it to either side. NaN passes through. Source: source document 001, rp13; definitions,
    Sample scope. Why it has this form: docs/derivations.md, Resistance.
    """

    group = "E"

    def __init__(
        self,
        width: int,
        features: int,
        scope: Literal["cell", "sample"] = "cell",
        rank: int = 8,
        nonnegative: bool = False,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        if scope not in ("cell", "sample"):
            raise ValueError(f"scope: '{scope}' is neither 'cell' nor 'sample'")
        self.scope = scope
        self.nonnegative = nonnegative
        self.standardise = standardise
        self.cell_part: nn.Module = nn.Linear(width, 1)
        if scope == "sample":
            self.a = ZeroLinear(width, rank)
            self.b = nn.Linear(features, rank, bias=False)

    def raw_cell(self, z_e: Tensor) -> Tensor:
        """linear(z_E): [E, w] -> [E]."""
        raw: Tensor = self.cell_part(z_e).squeeze(-1)
        return raw

    def _standardised(self, raw: Tensor, reference: Reference) -> Tensor:
        seen = reference.seen
        count = seen.sum()
        mean = (seen * reference.r).sum() / count.clamp(min=1)
        variance = (seen * (reference.r - mean).square()).sum() / count.clamp(min=1)
        return torch.where(count >= 2, (raw - mean) / (variance + FLOOR**2).sqrt(), raw)

    def of_cell(self, raw: Tensor, reference: Reference) -> Tensor:
        """f(g): R_E(c) from raw of the same shape, standardised and made non-negative as the energy asks."""
        cell = self._standardised(raw, reference) if self.standardise else raw
        return softplus(cell) if self.nonnegative else cell

    def heard(self, cell: Tensor) -> Tensor:
        """R_E(c) [E] or [E, Q], the same values; standardised ones without the gradient of the step's common level."""
        if not self.standardise or cell.shape[0] < 2:
            return cell
        level = cell.mean()
        return cell - (level - stopped(level))

    def forward(
        self,
        z_e: Tensor,
        z_i: Tensor,
        reference: Reference,
        *,
        raw: Tensor | None = None,
        teacher: tuple[Tensor, Tensor] | None = None,
        owner: Tensor | None = None,
    ) -> ResistanceOutput:
        fixed = Reference(*(part.detach() for part in reference))
        raw = self.raw_cell(z_e) if raw is None else raw
        cell = student = self.of_cell(raw, fixed)
        of_teacher: Tensor | None = None
        if teacher is not None:
            raw_teacher, share = teacher
            of_teacher = self.of_cell(raw_teacher, fixed)
            of_student, raw_student = beside(student, of_teacher), beside(raw, raw_teacher)
            cell, raw = fuse(share, of_teacher, of_student), fuse(share, raw_teacher, raw_student)
        if owner is not None:
            cell, z_e = cell[owner], z_e[owner]
        r = self.heard(cell)
        r = r.unsqueeze(-1) if r.ndim == 1 else r
        if self.scope == "sample":
            modulation = self.a((z_e - fixed.mean_z_e()) / fixed.spread_z_e())
            modulation = modulation.unsqueeze(-2) if owner is None else modulation
            r = r + (self.b(stopped(z_i)) * modulation).sum(-1)
        return ResistanceOutput(r, raw, cell, student, of_teacher, self.heard(student))


declare(
    "M16", "scope_cell", kind="scope", name="R_E per cell line", when={"environment.scope": "cell"},
    equation="R_E(c) = f(g(z_E(c)))", shapes="z_e [E, w], z_i [E, Q, d] -> r [E, 1]",
    source="source document 001; rp13; definitions, Sample scope", group="E", cls=Resistance,
    acts=EVERYWHERE, reads=frozenset({"z_e"}),
    kept="an R_E has a scope, and one per cell line is the plain one",
)  # fmt: skip
declare(
    "M16", "scope_sample", kind="scope", name="R_E per sample", when={"environment.scope": "sample"},
    equation="R_E(x, c) = f(g(z_E(c))) + <A (z_E(c) - mean z_E) / s, B sg z_I(x)>",
    shapes="z_e [E, w], z_i [E, Q, d] -> r [E, Q]", source="source document 001; rp13; definitions, Sample scope",
    group="E", cls=Resistance, off={"environment.scope": "cell"},
    acts=EVERYWHERE, reads=frozenset({"z_e", "z_i"}),
)  # fmt: skip
