"""Dependence of z_I and z_E of any form, by kernels: the normalised Hilbert-Schmidt independence criterion."""

import torch
from torch import Tensor

from models.losses.decoupling import Decoupling
from models.losses.registry import LOSSES


def centred_kernel(x: Tensor, weight: Tensor) -> Tensor:
    """H K H of centred x [n, d]: K_nm = exp(-||x_n - x_m||^2 / s), s = mean squared distance = 2 sum_n w_n ||x_n||^2.

    Rows and columns have weighted mean 0; [n, n]. s carries gradient, so that the kernel ignores the scale of
    x. A constant x gives 0.
    """
    square = x.square().sum(1)
    distance = (square.unsqueeze(1) + square - 2 * x @ x.T).clamp(min=0)
    kernel = torch.exp(-distance / (2 * weight @ square + 1e-8))
    mean = weight @ kernel
    return kernel - mean - mean.unsqueeze(1) + weight @ mean


@LOSSES.register(
    "hsic",
    id="M33",
    name="normalised Hilbert-Schmidt independence criterion",
    equation="HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)), HSIC(x, y) = sum_{n,m} w_n w_m (H K H)_nm (H L H)_nm, "
    "K, L Gaussian with the mean squared distance as bandwidth",
    shapes="z_i [E, Q, d], z_e [E, w] -> scalar in [0, 1]",
    source="source document 004; Gretton et al. 2005; Cortes et al. 2012 (normalised)",
)
class Hsic(Decoupling):
    """HSIC(z_I, z_E) / sqrt(HSIC(z_I, z_I) HSIC(z_E, z_E)), the biased estimate with weights (V-statistic).

    Gaussian kernels are characteristic: the population value is 0 only for independent sides. The estimate is
    positive on independent samples too, about 1/n times what the kernels see (and z_E has as many different values
    as there are episodes, not as there are samples), so that no value by itself says "dependent" or
    "independent": that is for a permutation null, which the samples here are not compared with. Dependence in
    directions of little spread is seen late. A constant side gives 0. O((E Q + B)^2) time and memory.
    """

    key = "hsic"
    weight = "decouple.hsic"
    order = 190
    objectives = {("value", "SET"): ("dependence", "down")}

    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        k, m = centred_kernel(x, weight), centred_kernel(y, weight)

        def hsic(a: Tensor, b: Tensor) -> Tensor:
            return weight @ (a * b) @ weight

        return hsic(k, m) / (hsic(k, k) * hsic(m, m) + 1e-12).sqrt()

    def plain(self, x: Tensor, y: Tensor) -> Tensor:
        """By traces of centred kernel matrices."""
        count = x.shape[0]
        centring = torch.eye(count, dtype=x.dtype, device=x.device) - 1 / count
        k, m = (
            centring @ torch.exp(-(torch.cdist(s, s) ** 2) / (2 * (s**2).sum(1).mean() + 1e-8)) @ centring
            for s in (x, y)
        )
        km, kk, mm = (torch.trace(a @ b) / count**2 for a, b in ((k, m), (k, k), (m, m)))
        return km / (kk * mm + 1e-12) ** 0.5
