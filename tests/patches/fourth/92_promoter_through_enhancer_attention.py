"""The promoter goes through the enhancer's self-attention blocks; its own blocks are built and never run.

Both loops read the same list of layers. The promoter's attention is counted among the parameters, is decayed by nothing
that it did, and has no gradient at all.
"""
PRESET = "rp04"
SET = {}
import torch

from models.precision import at_least_float32
from models.sequence.potential import SequencePotential


def forward(self, enhancer, promoter, noise=None):
    with torch.autocast(enhancer.device.type, enabled=False):
        (h_e, m_e), (h_p, m_p) = self._stem_features(enhancer, promoter, noise)
    for layer in self.enhancer_attention:
        h_e = layer(h_e, m_e, noise)
        h_p = layer(h_p, m_p, noise)
    z_i = self.interaction(h_e, m_e, h_p, m_p, noise)
    with torch.autocast(z_i.device.type, enabled=False):
        return self._potential(at_least_float32(z_i), noise)


SequencePotential.forward = forward
