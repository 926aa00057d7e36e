"""What an audit leaves unjudged where the sequence side is frozen, and says so."""

from collections.abc import Sequence

from harness.audit.finding import MechanismFinding
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.mechanism import Mechanism
from models.sequence.frozen import FrozenPotential

BLOCK = "model."
TEXT = (
    "not judged: it is part of the frozen sequence side, whose features this unit was trained on; what it does, the unit "
    "that trained that side was audited for"
)


def frozen_key(config: ConfigurationBlock, path: str) -> bool:
    """Whether a dotted path is of the frozen sequence side, so that nothing in this configuration's training reads it."""
    return (
        bool(config.frozen)
        and path.startswith(BLOCK)
        and path.removeprefix(BLOCK) not in FrozenPotential.keys
    )


def divided(
    rows: Sequence[Mechanism], config: ConfigurationBlock
) -> tuple[list[Mechanism], list[MechanismFinding]]:
    """The mechanisms that train here, and a finding on each of the frozen side."""
    resting = [row for row in rows if all(frozen_key(config, setting.path) for setting in row.when)]
    said = [MechanismFinding.on(row, "idle", TEXT, "") for row in resting]
    return [row for row in rows if row not in resting], said
