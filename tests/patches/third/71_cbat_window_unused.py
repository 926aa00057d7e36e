"""The windowed attention of CBAT is given the reach of the other attention, so that model.window is without effect.

The first attention of a block should see windows at most `window` away and the anchors; it sees all allowed windows.
Any value of model.window gives the same network.
"""
import models.sequence.cbat as cbat

PRESET = "rp04"
SET = {"model.window": 1}

_reach = cbat.CbatDirection._reach


def reach(self, valid, position, segments):
    allowed, _near = _reach(self, valid, position, segments)
    return allowed, allowed


cbat.CbatDirection._reach = reach
