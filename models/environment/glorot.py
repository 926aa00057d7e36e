"""Linear maps with Glorot's initial weights, for what is compared by inner products."""

from torch import nn


class GlorotLinear(nn.Linear):
    """W x (+ b), W ~ U(-a, a) with a = sqrt(6 / (inputs + outputs)), b = 0 (Glorot and Bengio 2010).

    torch's own initial weights have a third of that variance: two graph layers of them shrink their states by an
    order of magnitude, and attention over unit-scale states starts almost uniform.
    """

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
