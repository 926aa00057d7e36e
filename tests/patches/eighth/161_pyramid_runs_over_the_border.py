"""The convolutions of a CBAT block take enhancer, anchors and promoter for one long sequence, as if they lay side by side
on the genome: the last windows of one element are filtered together with the first of the other. A user who reads
positions into what the pyramid finds reads the seam of a concatenation."""

from models.sequence.conv_pyramid import ConvPyramid

PRESET = "rp24"

forward = ConvPyramid.forward


def broken(self, x, mask, segments=None):
    return forward(self, x, mask)


ConvPyramid.forward = broken
