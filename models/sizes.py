"""Sizes from which the parts of a model and the loss terms are built."""

from typing import NamedTuple

from torch import Tensor


class Sizes(NamedTuple):
    """Beside the settings, what constructor arguments are made of.

    cell_lines C: training cell lines; features d: dimensions of z_I; width w: of z_E, as whoever is built reads it;
    inputs: numbers per element of what is encoded (F of the cell features v_c, or those of a support pair);
    statistics f: of a support pair, as an Opportunist sees it (0 where nothing reads them); nonnegative: the energy
    takes R_E >= 0 alone; relations [C, C]: weights of relations between the training cell lines, None without any.
    """

    cell_lines: int
    features: int
    width: int
    inputs: int = 0
    relations: Tensor | None = None
    statistics: int = 0
    nonnegative: bool = False
