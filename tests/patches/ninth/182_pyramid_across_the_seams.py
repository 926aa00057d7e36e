"""The convolutions of CBAT's pyramid run over the whole sequence [other side; anchors; reading side] as if it were one:
the end of the promoter is smeared into the anchors and into the begin of the enhancer. A user who reads the attention as
the only way in which the two sides meet is told of contacts that are neighbours in memory alone."""

from models.sequence.conv_pyramid import ConvPyramid

PRESET = "rp24"

pyramid = ConvPyramid.forward


def broken(self, x, mask, segments=None):
    return pyramid(self, x, mask, None)


ConvPyramid.forward = broken
