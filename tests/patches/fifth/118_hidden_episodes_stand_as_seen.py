"""Episodes that hide their name count in the standing of the seen ones too, so that rho, pull-in and push-away of the
user's competition mix the two kinds of episodes that they are there to compare."""

import torch

from models.losses.competition import Competition

PRESET = "rp12"


def broken(self, step, state, values, hidden):
    line = step.cell if self.scope == "cell" else torch.where(step.cell >= 0, 0, -1)
    seen, unseen = self.standings(state)
    updated = {
        "seen": seen.update(line, values, self.momentum),
        "hidden": unseen.update(torch.where(hidden, line, -1), values, self.momentum),
    }
    return {f"{kind}/{n}": value for kind, part in updated.items() for n, value in part._asdict().items()}


Competition._standings_after = broken
