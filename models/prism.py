"""The composed model: z_I, U_I = sequence(x);  z_E = environment(S_c);  l(x, c) = energy(U_I, R_E(x, c), T(c)).

`PrismModel.score` is the one energy function: training, validation, prediction and every check call it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.energy.forms import ENERGIES
from models.energy.temperature import TEMPERATURES
from models.environment import ENVIRONMENTS
from models.environment.resistance import Reference, Resistance
from models.episode import Support
from models.sequence.potential import SequenceOutput, build_sequence

GROUPS = ("S", "E", "G", "A")
"""Parameter groups: sequence side, environment side, global energy scalars, adversaries and critics."""


class Scores(NamedTuple):
    """What the energy made of a query set.

    logit [E, Q]; r [E, 1] or [E, Q] (resistance); temperature [E, 1]; z_e [E, w]; r_raw [E] (linear(z_E), before
    softplus or standardisation: what the reference tracks).
    """

    logit: Tensor
    r: Tensor
    temperature: Tensor
    z_e: Tensor
    r_raw: Tensor


class PrismModel(nn.Module):
    """PRISM's energy-dissipation family (M01 to M22), built from plain settings.

    Parameters
    ----------
    settings
        Plain data with the blocks `model`, `energy`, `temperature`, `environment` and `support`
        (a resolved configuration; sizes are filled in).
    cell_lines
        Number C of training cell lines.
    """

    def __init__(self, settings: Mapping[str, Any], cell_lines: int) -> None:
        super().__init__()
        model, environment = settings["model"], dict(settings["environment"])
        energy, temperature = dict(settings["energy"]), dict(settings["temperature"])
        self.features: int = model["width"]
        self.cell_lines = cell_lines
        self.sequence = build_sequence(model)
        self.energy = ENERGIES.build(energy.pop("form"), **energy)

        source = environment.pop("source")
        self.width: int = environment.get("width", 1)
        self.has_environment: bool = source != "none"
        if self.has_environment:
            scope, rank = environment.pop("scope"), environment.pop("rank")
            if source == "id":
                environment["cell_lines"] = cell_lines
            else:
                environment |= {"features": self.features, "labels": settings["support"]["labels"]}
            self.environment = ENVIRONMENTS.build(source, **environment)
            self.resistance = Resistance(
                width=self.width,
                features=self.features,
                scope=scope,
                rank=rank,
                nonnegative=self.energy.nonnegative_resistance,
                standardise=self.energy.standardise_resistance,
            )

        mode = temperature.pop("mode")
        temperature.pop("penalty", None)  # the penalty is a loss term, built with the other terms
        if mode == "per_cell":
            temperature["width"] = self.width
        self.temperature = TEMPERATURES.build(mode, **temperature)

    def initial_reference(self) -> Reference:
        """The empty explicit state of training cell lines' R_E and z_E."""
        return Reference.initial(self.cell_lines, self.width)

    def encode(self, enhancer: Tensor, promoter: Tensor, noise: Any = None) -> SequenceOutput:
        """Sequence side: bases uint8 [B, L_e], [B, L_p] -> z_I [B, d], U_I [B]; noise None means evaluation."""
        output: SequenceOutput = self.sequence(enhancer, promoter, noise)
        return output

    def environment_of(self, support: Support) -> Tensor:
        """z_E [E, w] of E support sets; zeros [E, w] for a model without an environment."""
        if not self.has_environment:
            return support.u.new_zeros(support.u.shape[0], self.width)
        z_e: Tensor = self.environment(support)
        return z_e

    def score(
        self,
        u: Tensor,
        z_i: Tensor,
        z_e: Tensor,
        reference: Reference,
        *,
        warm: bool,
        calibration: Tensor | None = None,
    ) -> Scores:
        """l(x, c) of query pairs: U_I u [E, Q], z_i [E, Q, d], z_e [E, w] -> Scores.

        `warm` is phase 1 of the curriculum: l = U_I, T = 1, R_E = 0 for every energy. `calibration` (a positive
        scalar tensor) multiplies T; it is what temperature mode `calibrated` fits on validation after training.
        """
        episodes = u.shape[0]
        zero = u.new_zeros(episodes, 1)
        if warm:
            return Scores(u, zero, zero + 1.0, z_e, zero[:, 0])
        r, r_raw = zero, zero[:, 0]
        if self.has_environment:
            r, r_raw = self.resistance(z_e, z_i, reference)
        temperature = self.temperature(z_e if self.has_environment else None, episodes)
        if calibration is not None:
            temperature = temperature * calibration
        return Scores(self.energy(u, r, temperature), r, temperature, z_e, r_raw)

    def cell_resistance(self, r_raw: Tensor, reference: Reference, *, warm: bool) -> Tensor:
        """R_E of the cell lines [E] from r_raw [E], after softplus or standardisation; 0 in phase 1 and without R_E."""
        if warm or not self.has_environment:
            return torch.zeros_like(r_raw)
        return self.resistance.of_cell(r_raw, reference)

    def groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """Every parameter in exactly one of the groups S, E, G, by qualified name."""
        owner = {"sequence": "S", "environment": "E", "resistance": "E", "energy": "G", "temperature": "G"}
        groups: dict[str, dict[str, nn.Parameter]] = {"S": {}, "E": {}, "G": {}}
        for name, parameter in self.named_parameters():
            groups[owner[name.split(".", 1)[0]]][name] = parameter
        return groups

    def rank_invariant(self, r: Tensor) -> bool:
        """Whether, at these resistances, the order within a cell line is exactly that of U_I (09-definitions)."""
        if not self.has_environment:
            return True
        return self.resistance.scope == "cell" and bool(torch.all(self.energy.strictly_increasing(r)))
