"""The parameters that a unit begins with are those that its seed gives, module by module."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import nn

from harness.audit.breach import Breach
from harness.audit.promised_draws import below_seed
from harness.trial.step.trainer import Trainer
from models.streams import Dropout, GaussianNoise, drawing


def strange_beginning(trainer: Trainer) -> Iterator[Breach]:
    """The first module of a trainer that has taken no step whose parameters its own stream does not give."""
    for part, network in (("model", trainer.model), ("terms", trainer.terms)):
        seed = below_seed(trainer.seed, part)
        for name, module in drawing(network).items():
            if not isinstance(module, Dropout | GaussianNoise) and not _is_of(
                module, below_seed(seed, "init", name)
            ):
                text = f"parameters of {part}.{name} are not those that seed {trainer.seed} gives them"
                yield Breach("beginning", "optimiser", text)
                return


def _is_of(module: nn.Module, seed: int) -> bool:
    """Whether a module's own parameters are what it draws from a generator with this seed; drawn on the CPU, where all of
    them begin, wherever they are now."""
    again = deepcopy(module).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        again.reset_parameters()  # type: ignore[operator]  # every module that owns parameters has it
    drawn = dict(again.named_parameters(recurse=False))
    return all(torch.equal(p.cpu(), drawn[name]) for name, p in module.named_parameters(recurse=False))
