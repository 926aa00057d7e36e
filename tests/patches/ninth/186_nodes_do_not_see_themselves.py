"""The self-loops of the graph convolution are gone: A' is D^-1/2 A D^-1/2, and a prototype hears its neighbours without
keeping anything of itself in a layer. Prototypes of a cell line become those of its neighbours, and a user who reads
similar Teachers as similar cell lines reads the missing diagonal."""

from models.environment import graph

PRESET = "rp12"


def broken(a):
    scale = a.sum(1).clamp(min=1e-12).rsqrt()
    return scale.unsqueeze(1) * a * scale


graph.symmetric_normalisation = broken
