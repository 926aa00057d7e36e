"""A Gaussian process over cell lines (M28): R_E is smooth in v_c, or in where z_E lies."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.declared import declare
from models.environment.resistance import Reference
from models.stopped import stopped


class Posterior(NamedTuple):
    """mean [E] and variance [E] of the latent raw R_E at the places asked for."""

    mean: Tensor
    variance: Tensor


class GaussianProcessPrior(nn.Module):
    """raw R_E(c) ~ GP(m, k), k(x, y) = s2 exp(-|x - y|^2 / (2 l^2 D)), observed with noise n.

    Places x: the standardised features v_c where `places` [C, F] is given, else z_E, the training cell lines being
    where their running prototypes `Reference.z_e` lie. D: mean squared distance between two training cell lines met
    so far (1 until two are), so that the lengthscale l is in units of how far cell lines are apart; m: mean of their
    running raw R_E (0 before any). No parameters. Source: source document 004, Bayesian non-parametric prior; Rasmussen and
    Williams 2006, eq. 2.23 to 2.30. NaN in a place makes its own posterior NaN.
    """

    places: Tensor | None

    def __init__(
        self,
        places: Tensor | None = None,
        *,
        lengthscale: float = 1.0,
        variance: float = 1.0,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        if min(lengthscale, variance, noise) <= 0:
            raise ValueError(
                f"lengthscale {lengthscale}, variance {variance} and noise {noise} have to be positive"
            )
        self.lengthscale, self.variance, self.noise = lengthscale, variance, noise
        self.register_buffer("places", places, persistent=False)

    def training_places(self, reference: Reference) -> Tensor:
        """x [C, F] of the training cell lines, without gradient."""
        places = self.places
        return reference.z_e.detach() if places is None else places.to(reference.r.dtype)

    def kernel(self, x: Tensor, y: Tensor, reference: Reference) -> Tensor:
        """k [..., n, m] of x [..., n, F] and y [..., m, F]."""
        seen, train = reference.seen.detach(), self.training_places(reference)
        count = seen.sum()
        deviation = (train - seen @ train / count.clamp(min=1)).square().sum(1)
        apart = 2 * (seen * deviation).sum() / (count - 1).clamp(min=1)
        apart = torch.where(count >= 2, apart + 1e-6, torch.ones_like(apart))
        square = (x.unsqueeze(-2) - y.unsqueeze(-3)).square().sum(-1)
        return self.variance * torch.exp(-square / (2 * self.lengthscale**2 * apart))

    def mean(self, reference: Reference) -> Tensor:
        """m []: mean raw R_E over the training cell lines met so far."""
        seen = reference.seen.detach()
        return (seen * reference.r.detach()).sum() / seen.sum().clamp(min=1)

    def posterior(self, place: Tensor, reference: Reference, hidden: Tensor | None = None) -> Posterior:
        """m + k* (K + n I)^-1 (r - m) and k** - k* (K + n I)^-1 k*' at place [E, F], from the running raw R_E.

        hidden [E] long: training cell line that episode e pretends not to know (-1: none); its own value is left out of
        everything, m too, as those of cell lines not met yet are. With nothing to go by the posterior is the prior.
        """
        train, r = self.training_places(reference), reference.r.detach()
        known = reference.seen.detach().expand(place.shape[0], -1)
        if hidden is not None:
            lines = torch.arange(known.shape[1], device=place.device)
            known = known * (lines != hidden.unsqueeze(1))
        between = self.kernel(train, train, reference)
        both = known.unsqueeze(-1) * known.unsqueeze(-2)
        # A cell line that is left out becomes an independent one, whose value says nothing of the others.
        gram = both * between + torch.diag_embed(self.noise + self.variance * (1 - known))
        cross = known * self.kernel(place, train, reference)
        solved = torch.linalg.solve(gram, cross.unsqueeze(-1)).squeeze(-1)
        m = (known @ r) / known.sum(1).clamp(min=1)
        value = known * (r - m.unsqueeze(1))
        return Posterior(m + (solved * value).sum(-1), self.variance - (solved * cross).sum(-1))

    def log_density(self, raw: Tensor, place: Tensor, reference: Reference) -> Tensor:
        """(1/E) log N(raw; m, K + n I) in nats, of E episodes' raw R_E [E] at place [E, F]; gradient through raw alone."""
        here = stopped(place)
        eye = torch.eye(raw.shape[0], dtype=raw.dtype, device=raw.device)
        factor = torch.linalg.cholesky(self.kernel(here, here, reference) + self.noise * eye)
        centred = (raw - self.mean(reference)).unsqueeze(-1)
        white = torch.linalg.solve_triangular(factor, centred, upper=False)
        square, volume = white.square().sum(), 2 * factor.diagonal().log().sum()
        return -0.5 * (square + volume + raw.shape[0] * math.log(2 * math.pi)) / raw.shape[0]


declare(
    "M28", "gp_posterior", kind="extrapolation", name="Gaussian-process extrapolation",
    when={"environment.prior.extrapolate": "posterior"},
    equation="R(c*) = m + k(c*, C) (K + noise I)^-1 (R(C) - m)",
    shapes="place [E, p], reference r [C] -> r [E]", source="source document 004",
    off={"environment.prior.extrapolate": "own"},
    acts=frozenset({"prediction_unseen"}), reads=frozenset({"place"}),
)  # fmt: skip
