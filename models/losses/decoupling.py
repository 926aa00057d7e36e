"""Decoupling of z_I and z_E over the queries of a step and a memory bank: the base of five estimators, and the two
that see what is linear."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from models.episode import Step
from models.losses.bank import write_ring
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, SEQUENCE, LossTerm, State
from models.sizes import Sizes


class Decoupling(LossTerm):
    """dependence(z_I, z_E) over the step's query samples and the bank's; z_E of a sample is its episode's.

    State: ring of the last B samples, without gradient, so that more cell lines are compared than one step
    holds. Widths d of z_I and w of z_E may differ. reach: "environment" moves E, "both" also the sequence
    side; estimators with a critic move its parameters (A) as well.

    No value certifies independence: z_E takes one value per episode, so that a step of 4 cell lines says little
    of other ones, and the value is one that training has been lowering. `analysis.independence` measures.
    """

    in_phase1 = False
    ramps = True
    reads = frozenset({"z_i", "z_e"})
    permutes = "z_i"
    needs = frozenset({"z_e", "cell_lines"})
    takes = ("features", "width")
    reach = ENVIRONMENT
    wider = {("decouple.reach", "both"): SEQUENCE}

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {**super().arguments(settings, sizes), "reach": settings["decouple"]["reach"]}

    def __init__(
        self,
        features: int,
        width: int,
        reach: Literal["environment", "both"] = "environment",
        bank: int = 512,
    ) -> None:
        super().__init__()
        if reach not in ("environment", "both"):
            raise ValueError(f"reach: '{reach}' is neither 'environment' nor 'both'")
        self.features = features
        self.width = width
        self.bank = bank
        if reach == "both":
            self.reach = self.reach | SEQUENCE

    def initial_state(self) -> State:
        return {
            "z_i": torch.zeros(self.bank, self.features),
            "z_e": torch.zeros(self.bank, self.width),
            "filled": torch.zeros(self.bank),
            "pointer": torch.tensor(0),
        }

    def samples(self, step: Step, state: State) -> tuple[Tensor, Tensor]:
        """Centred z_I [n, d] and z_E [n, w] of the step's queries and of what the bank holds, all of one weight."""
        held, z_i, z_e = state["filled"] > 0, step.z_i, step.z_e_of_queries()
        x = torch.cat([z_i.reshape(-1, z_i.shape[-1]), state["z_i"][held].to(z_i.dtype)])
        y = torch.cat([z_e.reshape(-1, z_e.shape[-1]), state["z_e"][held].to(z_e.dtype)])
        return x - x.mean(0), y - y.mean(0)

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": self.plain(*self.samples(step, state))}

    def plain(self, x: Tensor, y: Tensor) -> Tensor:
        """`dependence` of samples of one weight; a class may compute it in another way, so that the two share no fault."""
        return self.dependence(x, y, x.new_full((len(x),), 1 / len(x)))

    @abstractmethod
    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Scalar of centred samples x [n, d], y [n, w] with weights [n] that sum to 1; a weight may be 0."""

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        z_i = step.z_i.flatten(0, 1)
        z_e = step.z_e_of_queries().flatten(0, 1)
        weight = torch.cat([torch.ones_like(z_i[:, 0]), state["filled"].to(z_i.dtype)])
        weight = weight / weight.sum().clamp(min=1)
        x = torch.cat([z_i, state["z_i"].detach().to(z_i.dtype)])
        y = torch.cat([z_e, state["z_e"].detach().to(z_e.dtype)])
        value = self.dependence(x - weight @ x, y - weight @ y, weight)
        columns = {name: state[name] for name in ("z_i", "z_e", "filled")}
        rows = {"z_i": z_i, "z_e": z_e, "filled": torch.ones_like(z_i[:, 0])}
        written, pointer = write_ring(columns, state["pointer"], rows)
        return value, {**written, "pointer": pointer}


def unit_variance(x: Tensor, weight: Tensor) -> Tensor:
    """Centred x [n, d] with every dimension scaled to variance 1 under weights [n]; a constant dimension stays 0.

    The scale carries gradient: shrinking a side cannot lower an estimate that is made of the result.
    """
    return x / (weight @ x.square() + 1e-8).sqrt()


@LOSSES.register(
    "orthogonal",
    id="M33",
    name="orthogonality",
    equation="||mean_n x_n y_n'||_F^2 = mean_{n,m} cos(x_n, x_m) cos(y_n, y_m), "
    "x, y: z_I, z_E centred over the samples, then of unit norm each",
    shapes="z_i [E, Q, d], z_e [E, w] -> scalar in [0, 1]",
    source="source document 003 (normalised: source document 003 blames vanishing gradients on small norms)",
)
class Orthogonal(Decoupling):
    """||mean_n x_n y_n'||_F^2 with x_n, y_n the centred z_I and z_E of sample n, each scaled to norm 1.

    The squared normalised inner product for widths that differ: unchanged by the scale of either side and
    by a rotation of either space. A sample at the mean, or z_E of a single cell line, adds 0. It sees what is
    linear in directions: z_E a function of |z_I| or of a square can have the value 0.
    """

    key = "orthogonal"
    weight = "decouple.orthogonal"
    order = 150
    objectives = {("value", "SET"): ("dependence", "down")}

    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        x = x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()
        y = y / (y.square().sum(1, keepdim=True) + 1e-8).sqrt()
        return (x.T @ (weight.unsqueeze(1) * y)).square().sum()

    def plain(self, x: Tensor, y: Tensor) -> Tensor:
        """By the cosines of pairs of samples."""
        x, y = (side / (side.norm(dim=1, keepdim=True) ** 2 + 1e-8) ** 0.5 for side in (x, y))
        return ((x @ x.T) * (y @ y.T)).mean()


@LOSSES.register(
    "pearson",
    id="M33",
    name="squared correlation",
    equation="mean over dimensions (a, b) of Pearson(z_I[a], z_E[b])^2",
    shapes="z_i [E, Q, d], z_e [E, w] -> scalar in [0, 1]",
    source="source document 003",
)
class Pearson(Decoupling):
    """mean_{a, b} Pearson(z_I[a], z_E[b])^2 over d x w pairs of dimensions; a constant dimension adds 0.

    Sees what is linear, one pair of dimensions at a time: 0 leaves every other dependence (z_E = z_I^2) open.
    """

    key = "pearson"
    weight = "decouple.pearson"
    order = 160
    objectives = {("value", "SET"): ("dependence", "down")}

    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        covariance = x.T @ (weight.unsqueeze(1) * y)
        variance_x, variance_y = weight @ x.square(), weight @ y.square()
        return (covariance.square() / ((variance_x + 1e-8).unsqueeze(1) * (variance_y + 1e-8))).mean()

    def plain(self, x: Tensor, y: Tensor) -> Tensor:
        """By columns of variance 1."""
        x, y = (side / (side.var(0, correction=0) + 1e-8) ** 0.5 for side in (x, y))
        return ((x.T @ y / x.shape[0]) ** 2).mean()
