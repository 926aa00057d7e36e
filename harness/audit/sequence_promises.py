"""What the sequence side promises of every pair: padding, other pairs and strands change nothing, and all of it is read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.audit.finding import MechanismFinding
from harness.audit.neutral import members, parts_of
from harness.audit.reading import NOTHING
from harness.audit.stem_reference import SIDES, StemOutput, strange_stem
from harness.audit.twins import Twins
from harness.trial.episodes.batches import windows_of
from models.sequence.interaction import Interaction
from models.sequence.potential import SequencePotential
from models.sequence.rope import RotarySelfAttention
from models.sequence.tokens import NULL_BASE

PAIRS = 3
"""Pairs that are read."""
STRETCHES = 16
"""Most stretches of one side that are exchanged, one at a time."""
NEAR = 1e-4
"""Difference, relative to 1 + size, that the order of a sum may make."""
Call = tuple[tuple[Any, ...], Any]
"""What a module was given, and what it gave."""
COMPLEMENT = torch.tensor([3, 2, 1, 0, NULL_BASE], dtype=torch.uint8)


class SequencePromises:
    """Asks the sequence side of a clone about a few training pairs, without gradients or noise.

    `ask` gives the findings: `sequence` is leaking where a pair's U_I depends on padding, on other pairs or, with shared
    strands, on the strand; inert where an encoder that declares to read every window lets one pass, where a part that
    declares to join both sides hears one, or where self-attention does not know positions; broken where what comes behind
    a stem is not given what its equation makes. `windows`: each stretch of a
    side is asked for as well, which a trained attention may have learned to pass over.
    """

    def __init__(self, twins: Twins, *, windows: bool) -> None:
        self.trainer, self.windows = twins.trainer, windows
        sequence = twins.trainer.model.sequence
        assert isinstance(sequence, SequencePotential)
        self.sequence = sequence
        pairs = next(iter(twins.reading.pairs.values()))
        chosen = np.unique(np.linspace(0, len(pairs) - 1, PAIRS).round().astype(int))
        read = windows_of(self.trainer.dataset, pairs[chosen], self.trainer.device)
        self.sides = tuple(side.of_pairs() for side in read)
        self.joint = _joint(self.sequence.interaction)
        self.layers = dict(members(self.trainer, RotarySelfAttention))
        attention = (sequence.enhancer_attention, sequence.promoter_attention)
        self.behind = {
            name: layers[0] if len(layers) else sequence.interaction
            for name, layers in zip(SIDES, attention, strict=True)
        }
        """By side, what is first given what its stem makes."""

    @torch.no_grad()
    def ask(self) -> list[MechanismFinding]:
        self._look()
        leaks = next(self._leaks(), None)
        deaf = next(self._deaf(), None)
        said = {"leaking": leaks, "inert": deaf, "broken": next(self._other_stems(), None)}
        return [
            MechanismFinding("-", "sequence", verdict, text, "input")
            for verdict, text in said.items()
            if text
        ]

    def _read(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """U_I and z_I of the pairs [B, 1 + d]."""
        output = self.sequence(enhancer, promoter)
        return torch.cat([output.u[:, None], output.z_i], 1)

    def _look(self) -> None:
        """What the sequence side gives for the pairs (`base`), for those with another pair's sequence of one side and with
        other bases in one stretch (`exchanged`, by side and first base), all in one pass; `looked`: what parts gave in it.
        The pairs themselves come first, and then a block of as many rows for each of the others."""
        pool, kept = self.trainer.config.model.pool, self.sides
        asks = self.windows and self.sequence.interaction.reads_every_window
        stretches = [self._exchanged(side, pool) if asks else {} for side in (0, 1)]
        blocks = [kept, *(self._beside(side, kept[side].roll(1, 0)) for side in (0, 1))]
        blocks += [self._beside(side, other) for side in (0, 1) for other in stretches[side].values()]
        made, self.looked = self._looked(*(torch.cat(rows) for rows in zip(*blocks, strict=True)))
        size = len(kept[0])
        self.base, _, _, *others = made.split(size)
        places = [(side, start) for side in (0, 1) for start in stretches[side]]
        self.exchanged = dict(zip(places, others, strict=True))
        self.stretches = stretches

    def _beside(self, side: int, other: Tensor) -> tuple[Tensor, ...]:
        """Both sides, of which one is another."""
        return tuple(other if at == side else kept for at, kept in enumerate(self.sides))

    def _with(self, side: int, other: Tensor) -> Tensor:
        """The same where one side is another."""
        return self._read(*self._beside(side, other))

    def _moves(self, made: Tensor) -> bool:
        return bool(((made - self.base).abs() > NEAR * (1 + self.base.abs())).any())

    def _leaks(self) -> Iterator[str]:
        apart = [self._read(*(side[part] for side in self.sides)) for part in (slice(1), slice(1, None))]
        if self._moves(torch.cat(apart)):
            yield "U_I or z_I of a pair depends on which other pairs are read with it"
        model = self.trainer.config.model
        if name := self._moving([F.pad(side, (0, 2 * model.pool), value=NULL_BASE) for side in self.sides]):
            yield f"U_I or z_I of a pair depends on the padding of its {name}"
        if model.share_strands and (name := self._moving([_turned(side) for side in self.sides])):
            yield f"model.share_strands is set, and the other strand of the {name} gives another U_I or z_I"

    def _moving(self, others: Sequence[Tensor]) -> str:
        """The side that moves U_I or z_I where it is another, asked of both at once first; empty where nothing moves."""
        if not self._moves(self._read(*others)):
            return ""
        apart = (name for side, name in enumerate(SIDES) if self._moves(self._with(side, others[side])))
        return next(apart, " and ".join(SIDES))

    def _deaf(self) -> Iterator[str]:
        interaction = self.sequence.interaction
        if self.windows and interaction.reads_every_window:
            yield from self._unread_windows()
        yield from self._one_sided(interaction)
        for name, layer in self.layers.items():
            if self._has_no_order(name, layer):
                yield f"{name} does not know positions: windows in the reverse order are read alike"

    def _unread_windows(self) -> Iterator[str]:
        """A stretch of one pooling window where other bases move nothing of any pair. Those that move little beside all
        others are asked apart, next to which rounding is none."""
        pool, scale = self.trainer.config.model.pool, float(self.base.abs().max())
        for (side, start), made in self.exchanged.items():
            if float((made - self.base).abs().max()) > NEAR * scale:
                continue
            other = self.stretches[side][start]
            if float((self._with(side, other) - self.base).abs().max()) <= NOTHING * scale:
                stop = min(start + pool, other.shape[1])
                yield f"bases {start} to {stop} of the {SIDES[side]} are not read: with others U_I and z_I are the same"

    def _exchanged(self, side: int, pool: int) -> dict[int, Tensor]:
        """First base of a window -> the side with other bases in that window."""
        whole = self.sides[side]
        real = (whole < NULL_BASE).any(0).nonzero()
        count = -(-int(real[-1] + 1) // pool) if len(real) else 0
        exchanged = {}
        for window in np.unique(
            np.linspace(0, count - 1, min(count, STRETCHES)).round().astype(int)
        ).tolist():
            start, stop = window * pool, min((window + 1) * pool, whole.shape[1])
            other = whole.clone()
            part = other[:, start:stop]
            other[:, start:stop] = torch.where(part < NULL_BASE, (part + 1 + part % 2) % NULL_BASE, part)
            if not torch.equal(other, whole) and stop - start == pool:  # a shorter end may hold no k-mer
                exchanged[start] = other
        return exchanged

    def _other_stems(self) -> Iterator[str]:
        """What the first part behind a stem was given, for the pairs themselves, against the stem's equation."""
        size = len(self.base)
        for side, bases in enumerate(self.sides):
            arguments = self.looked[SIDES[side]][0]
            # The interaction is given both sides, one after the other.
            at = 2 * side if self.behind[SIDES[side]] is self.sequence.interaction else 0
            h, mask = (part[:size] for part in arguments[at : at + 2])
            if text := strange_stem(self.sequence, side, bases, StemOutput(h, mask)):
                yield text

    def _one_sided(self, interaction: Interaction) -> Iterator[str]:
        """A part that declares to join both sides and gives the same with another pair's sequence of one side."""
        if not self.joint:
            return
        for side, name in enumerate(SIDES):
            if torch.equal(self.sides[side].roll(1, 0), self.sides[side]):
                continue
            size = len(self.base)
            for part in self.joint:
                base, *rolled = self.looked[part][1][: 3 * size].split(size)
                other = rolled[side]
                if float((other - base).abs().max()) <= NOTHING * float(base.abs().max()):
                    whole = type(interaction).__name__
                    yield f"{whole}.{part} does not read the {name}: with another pair's it gives the same"

    def _looked(self, enhancer: Tensor, promoter: Tensor) -> tuple[Tensor, dict[str, Call]]:
        """U_I and z_I, and by name what joint parts and layers of self-attention were first given and last gave."""
        calls: dict[str, Call] = {}

        def keeps(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
            def keep(_module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
                calls[name] = (calls[name][0] if name in calls else arguments, output)

            return keep

        parts = {**self.joint, **self.layers, **self.behind}
        handles = [part.register_forward_hook(keeps(name)) for name, part in parts.items()]
        try:
            return self._read(enhancer, promoter), calls
        finally:
            for handle in handles:
                handle.remove()

    def _has_no_order(self, name: str, layer: nn.Module) -> bool:
        """Whether the windows of its first call in the reverse order give the same, in the reverse order."""
        arguments = self.looked[name][0] if name in self.looked else ()
        if not arguments or float(arguments[1].sum(1).max()) < 2:
            return False
        h, mask = (part[: len(self.base)] for part in arguments[:2])
        (made,), (turned,) = (parts_of(layer(*each)) for each in ((h, mask), (h.flip(1), mask.flip(1))))
        return float((turned.flip(1) - made).abs().max()) <= NOTHING * float(made.abs().max())


def _joint(interaction: Interaction) -> dict[str, nn.Module]:
    """The parts that it declares to join both sides, by name."""
    return {
        f"{joint}.{at}" if isinstance(part, nn.ModuleList) else joint: each
        for joint in interaction.joint
        for part in [interaction.get_submodule(joint)]
        for at, each in enumerate(part if isinstance(part, nn.ModuleList) else [part])
    }


def _turned(side: Tensor) -> Tensor:
    """The other strand of each row, read from its other end; what follows its last base stays."""
    turned = side.clone()
    for row, before in zip(turned, side, strict=True):
        end = int((before < NULL_BASE).nonzero().max()) + 1 if bool((before < NULL_BASE).any()) else 0
        row[:end] = COMPLEMENT.to(side.device)[before[:end].long()].flip(0)
    return turned
