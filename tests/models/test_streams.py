"""Random streams hang on names: what is added beside a module leaves its numbers as they are."""

import torch
from torch import Tensor, nn

from models.streams import Dropout, GaussianNoise, SeededNoise, initialise


def weights(seed: int = 0, **modules: nn.Module) -> dict[str, Tensor]:
    """Initialised parameters by qualified name."""
    model = nn.ModuleDict(modules)
    initialise(model, seed)
    return {name: value.detach() for name, value in model.named_parameters()}


def test_modules_of_one_shape_start_with_other_weights() -> None:
    both = weights(a=nn.Linear(4, 4), b=nn.Linear(4, 4))
    assert not torch.equal(both["a.weight"], both["b.weight"])


def test_a_module_starts_alike_whatever_stands_beside_it() -> None:
    alone = weights(b=nn.Linear(4, 4))
    beside = weights(a=nn.Linear(8, 8), b=nn.Linear(4, 4), c=nn.Embedding(3, 2))
    assert all(torch.equal(beside[name], value) for name, value in alone.items())
    assert not torch.equal(weights(1, b=nn.Linear(4, 4))["b.weight"], alone["b.weight"])


def test_noise_is_drawn_by_name_seed_and_step() -> None:
    def drawn(seed: int, step: int) -> tuple[Tensor, ...]:
        model = nn.ModuleDict(
            {"a": Dropout(0.5), "b": Dropout(0.5), "c": GaussianNoise(), "d": GaussianNoise()}
        )
        initialise(model, 0)
        noise, x = SeededNoise(seed, step), torch.ones(64)
        return (model["a"](x, noise), model["b"](x, noise), model["c"](x, x, noise), model["d"](x, x, noise))

    first, again, later, other = drawn(0, 0), drawn(0, 0), drawn(0, 1), drawn(1, 0)
    for k, own in enumerate(first):
        assert torch.equal(own, again[k])
        assert not torch.equal(own, later[k])
        assert not torch.equal(own, other[k])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[2], first[3])
