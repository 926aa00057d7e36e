"""The cell line's own features as its environment: a continuous map from v_c to z_E."""

from typing import Any

from torch import Tensor

from models.environment.base import ENVIRONMENTS, Environment
from models.environment.set_encoders import perceptron
from models.episode import Support
from models.registry import EVERYWHERE, Settings
from models.sizes import Sizes


@ENVIRONMENTS.register(
    "features",
    id="M21",
    name="cell-line features",
    equation="z_E(c) = MLP(v_c); optionally v'_c = decoder(z_E(c))",
    shapes="support.v [E, F] -> [E, w]; decoder [E, w] -> [E, F]",
    source="source document 004, z_E = f_E(v_c)",
)
class FeatureEnvironment(Environment):
    """z_E(c) = linear(GELU(linear(v_c))), v_c standardised over the training cell lines; reads `support.v` alone.

    decoder = True adds v'_c of the same form, for a reconstruction loss. Support sets without v_c are a ValueError;
    NaN in v_c makes its own episode's z_E NaN.
    """

    acts = EVERYWHERE
    reads = frozenset({"v"})
    by_cell = True
    permutes = "v"

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        decoder = settings["loss"]["reconstruction"]["weight"] > 0
        return super().arguments(settings, sizes) | {"inputs": sizes.inputs, "decoder": decoder}

    def __init__(self, inputs: int, width: int, hidden: int = 32, decoder: bool = False) -> None:
        super().__init__()
        if inputs < 1:
            raise ValueError("environment source 'features' needs cell features v_c, and there are none")
        self.width = width
        self.encoder = perceptron(inputs, hidden, width)
        self.decoder = perceptron(width, hidden, inputs) if decoder else None

    def forward(self, support: Support) -> Tensor:
        if support.v is None:
            raise ValueError("environment source 'features' reads v_c, and the support sets carry none")
        z_e: Tensor = self.encoder(support.v)
        return z_e
