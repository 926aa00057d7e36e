"""What the data say about the sizes of a model's parts."""

from typing import NamedTuple

from torch import Tensor


class Sizes(NamedTuple):
    """Beside the settings, what constructor arguments are made of.

    cell_lines C: training cell lines; features d: dimensions of z_I; width w: of z_E; inputs: numbers per element of
    what is encoded (F of the cell features v_c, or those of a support pair); relations [C, C]: weights of relations
    between the training cell lines, None without any.
    """

    cell_lines: int
    features: int
    width: int
    inputs: int = 0
    relations: Tensor | None = None
