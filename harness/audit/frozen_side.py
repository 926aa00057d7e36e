"""What an audit leaves unjudged where the sequence side is frozen, and what it asks there in turn; both are said."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.audit.finding import MechanismFinding
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.mechanism import Mechanism
from models.sequence.frozen import FrozenPotential

BLOCK = "model."
KEYS = ("every second key", "every second key, from the second one on")
TURNS = ("the weights of its loss terms", "what no single mechanism promises", *KEYS)
"""What the twins of one configuration ask beside its mechanisms, of another one the next: a step there takes a tenth of
one in full, and the whole of it would take longer than 40 of them."""
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


@dataclass(frozen=True)
class AskedByTwins:
    """What twins ask of a trial beside its mechanisms: all, or where the sequence side is frozen one of the `TURNS`."""

    turn: int | None

    @classmethod
    def of(cls, config: ConfigurationBlock) -> "AskedByTwins":
        """By the configuration's content, so that it is the same in every run, and each turn that of a quarter of them."""
        if not config.frozen:
            return cls(None)
        return cls(zlib.crc32(json.dumps(config.identity(), sort_keys=True).encode()) % len(TURNS))

    @property
    def weights(self) -> bool:
        """Whether weights of loss terms are set to 0 and doubled."""
        return self.turn in (None, 0)

    @property
    def promises(self) -> bool:
        """Whether what is asked of no single mechanism is asked."""
        return self.turn in (None, 1)

    def keys(self, paths: Iterable[str]) -> list[str]:
        """Which of the keys that a trainer is built from are perturbed."""
        ordered = sorted(paths)
        if self.turn is None:
            return ordered
        return ordered[KEYS.index(turn) :: len(KEYS)] if (turn := TURNS[self.turn]) in KEYS else []

    def said(self) -> list[MechanismFinding]:
        """That it is a turn, and whose the rest is; nothing where all is asked."""
        if self.turn is None:
            return []
        text = (
            "behind a frozen sequence side twins ask each mechanism before the first step, and beside these here "
            f"{TURNS[self.turn]}; other configurations are asked for the rest, and what trains in full for all of it"
        )
        return [MechanismFinding("-", "turn", "idle", text, "key")]
