"""What a loss term is built from beside its settings: the sizes of the model and of the data that it will see."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TermSizes:
    """TermSizes that `LossTerm.arguments` may ask for.

    cell_lines C: training cell lines; features d: width of z_I; width w: of z_E; statistics f: of a support pair, as
    an Opportunist sees it (0 where nothing reads them); nonnegative: the energy takes R_E >= 0 alone; relations
    [C, C]: weights of related cell lines among the negatives, None where there are none.
    """

    cell_lines: int
    features: int
    width: int
    statistics: int = 0
    nonnegative: bool = False
    relations: Tensor | None = None
