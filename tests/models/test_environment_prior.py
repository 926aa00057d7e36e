"""Features as an environment, and the Gaussian process over cell lines against scikit-learn and the closed form."""

import math

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from torch import nn

from models.environment import ENVIRONMENTS
from models.environment.features import FeatureEnvironment
from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Reference
from models.losses import LOSSES
from models.streams import initialise
from tests.models.steps import make_step
from tests.models.test_environment import changed, make_support
from tests.typed import as_a, grad

C, F, W = 7, 3, 4
NUMBERS = {"lengthscale": 0.8, "variance": 1.7, "noise": 0.2}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def a_reference(seen: int = C) -> Reference:
    met = (torch.arange(C) < seen).double()
    return Reference(draw(C, seed=1), draw(C, W, seed=2), met)


def over(space: str) -> GaussianProcessPrior:
    return GaussianProcessPrior(draw(C, F, seed=3) if space == "features" else None, **NUMBERS).double()


def closed_form(train: np.ndarray, r: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's posterior with the lengthscale in units of the root mean square distance of training places."""
    square = ((train[:, None] - train[None]) ** 2).sum(-1)
    apart = square[~np.eye(len(train), dtype=bool)].mean() + 1e-6
    kernel = ConstantKernel(NUMBERS["variance"]) * RBF(NUMBERS["lengthscale"] * apart**0.5)
    model = GaussianProcessRegressor(kernel, alpha=NUMBERS["noise"], optimizer=None).fit(train, r - r.mean())
    mean, deviation = model.predict(place, return_std=True)
    return mean + r.mean(), deviation**2


@pytest.mark.parametrize("space", ["features", "prototypes"])
@pytest.mark.parametrize("seen", [C, 4])
def test_posterior_is_the_closed_form_over_met_cell_lines(space: str, seen: int) -> None:
    prior, reference = over(space), a_reference(seen)
    train = prior.training_places(reference)
    place = draw(5, train.shape[1], seed=8)
    mean, variance = closed_form(train[:seen].numpy(), reference.r[:seen].numpy(), place.numpy())
    found = prior.posterior(place, reference)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-8)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-8)


def test_a_hidden_cell_line_does_not_tell_its_own_value() -> None:
    prior, reference = over("features"), a_reference()
    places = as_a(torch.Tensor, prior.places)
    place, hidden = places[[2, 2]], torch.tensor([2, -1])
    moved = reference._replace(r=reference.r + 3.0 * (torch.arange(C) == 2))
    left_out, used = prior.posterior(place, moved, hidden).mean
    assert left_out == prior.posterior(place, reference, hidden).mean[0]
    train = places[[0, 1, 3, 4, 5, 6]]
    gram = prior.kernel(train, train, reference) + 0.2 * torch.eye(6)
    cross = prior.kernel(place[:1], train, reference)[0]
    others = moved.r[[0, 1, 3, 4, 5, 6]]
    wanted = others.mean() + cross @ torch.linalg.solve(gram, others - others.mean())
    assert left_out.item() == pytest.approx(wanted.item())
    assert abs((used - left_out).item()) > 1e-3


def test_nothing_to_go_by_gives_the_prior_and_far_away_the_mean() -> None:
    prior = over("features")
    nothing = prior.posterior(draw(2, F), a_reference(seen=0))
    assert nothing.mean.tolist() == [0.0, 0.0]
    assert nothing.variance.tolist() == [1.7, 1.7]
    reference = a_reference()
    far = prior.posterior(torch.full((1, F), 1e4, dtype=torch.float64), reference)
    assert far.mean.item() == pytest.approx(reference.r.mean().item())
    assert far.variance.item() == pytest.approx(1.7)


def test_log_density_is_multivariate_normal_and_moves_r_alone() -> None:
    prior, reference = over("features"), a_reference()
    raw, place = draw(4, seed=5).requires_grad_(), draw(4, F, seed=6).requires_grad_()
    value = prior.log_density(raw, place, reference)
    covariance = prior.kernel(place, place, reference) + 0.2 * torch.eye(4)
    normal = torch.distributions.MultivariateNormal(reference.r.mean().expand(4), covariance.detach())
    assert value.item() == pytest.approx(normal.log_prob(raw).item() / 4)
    found = torch.autograd.grad(value, [raw, place], allow_unused=True)
    wanted = -torch.linalg.solve(covariance, raw - reference.r.mean()) / 4
    torch.testing.assert_close(found[0], wanted.detach())
    assert found[1] is None
    alone = prior.log_density(raw[:1], place[:1], reference).item()
    z = (raw[0] - reference.r.mean()).item() ** 2 / 1.9
    assert alone == pytest.approx(-0.5 * (z + math.log(2 * math.pi * 1.9)))


def test_gradient_of_a_posterior_over_z_e_reaches_the_student() -> None:
    prior, place = over("prototypes"), draw(2, W, seed=4).requires_grad_()
    (gradient,) = torch.autograd.grad(prior.posterior(place, a_reference()).mean.sum(), [place])
    assert gradient.abs().sum() > 0


def test_prior_runs_under_vmap() -> None:
    prior = over("prototypes")
    references = [a_reference(), a_reference(4)._replace(r=draw(C, seed=9))]
    batched = Reference(*(torch.stack(parts) for parts in zip(*references, strict=True)))
    place, hidden = draw(2, 3, W), torch.tensor([[0, -1, 2], [-1, -1, 1]])
    together = torch.func.vmap(prior.posterior)(place, batched, hidden).mean
    for k in range(2):
        torch.testing.assert_close(together[k], prior.posterior(place[k], references[k], hidden[k]).mean)
    densities = torch.func.vmap(prior.log_density)(place[..., 0], place, batched)
    torch.testing.assert_close(densities[1], prior.log_density(place[1, :, 0], place[1], references[1]))


def test_impossible_numbers_are_errors() -> None:
    with pytest.raises(ValueError, match="have to be positive"):
        GaussianProcessPrior(noise=0.0)


def features(decoder: bool = False, seed: int = 0) -> FeatureEnvironment:
    model = FeatureEnvironment(inputs=F, width=W, hidden=5, decoder=decoder).double()
    initialise(model, seed)
    return model


def test_features_alone_are_read_by_a_two_layer_map() -> None:
    model, v = features(), draw(3, F)
    support, other = changed(make_support(), v=v), changed(make_support(seed=4), v=v)
    first, last = (as_a(nn.Linear, model.encoder[k]) for k in (0, 2))
    hidden = v @ first.weight.T + first.bias
    gelu = 0.5 * hidden * (1 + torch.erf(hidden / 2**0.5))
    torch.testing.assert_close(model(support), gelu @ last.weight.T + last.bias)
    assert torch.equal(model(support), model(other))
    assert model.decoder is None
    with pytest.raises(ValueError, match="carry none"):
        model(make_support())
    with pytest.raises(ValueError, match="there are none"):
        ENVIRONMENTS.build("features", inputs=0, width=W)


def test_reconstruction_by_hand_and_every_parameter_learns() -> None:
    model, v = features(decoder=True), draw(3, F)
    z_e = model(changed(make_support(), v=v))
    decoder = as_a(nn.Module, model.decoder)
    loss, _ = LOSSES.build("reconstruction")(make_step(z_e=z_e, v=v, v_decoded=decoder(z_e)), {})
    assert loss.item() == pytest.approx(((decoder(z_e) - v) ** 2).mean().item())
    loss.backward()
    assert all(grad(parameter).abs().sum() > 0 for parameter in model.parameters())
    by_hand = make_step(v=torch.tensor([[1.0, 2.0]]).double(), v_decoded=torch.tensor([[0.0, 4.0]]).double())
    assert LOSSES.build("reconstruction")(by_hand, {})[0].item() == (1 + 4) / 2
    with pytest.raises(ValueError, match="no v: that needs features of the cell lines"):
        LOSSES.build("reconstruction")(make_step(v=None), {})


def test_gp_prior_is_the_negative_log_density() -> None:
    density = torch.tensor(-1.25, dtype=torch.float64, requires_grad=True)
    loss, _ = LOSSES.build("gp_prior")(make_step(log_prior=density), {})
    assert loss.item() == 1.25
    with pytest.raises(ValueError, match=r"that needs a prior over resistances \(environment\.prior\)"):
        LOSSES.build("gp_prior")(make_step(log_prior=None), {})
