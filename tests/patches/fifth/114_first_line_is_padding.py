"""The Teacher's table has padding_idx 0, as tables of tokens do, so that the first training cell line of the user has
an embedding of zeros that never learns, while all the others do."""

from torch import nn

from models.environment.teacher import GradientTeacher

PRESET = "rp09"

init = GradientTeacher.__init__


def broken(self, cell_lines, width):
    init(self, cell_lines, width)
    self.table = nn.Embedding(cell_lines, width, padding_idx=0)


GradientTeacher.__init__ = broken
