"""The sequence potential U_I: stem -> self-attention -> interaction (-> bottleneck, streams) -> Fourier KAN."""

import contextlib
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from models.declared import GIVEN, declare
from models.part import ModelPart
from models.precision import at_least_float32
from models.registry import EVERYWHERE
from models.sequence.bottleneck import InformationBottleneck
from models.sequence.dual_stream import DualStream
from models.sequence.interaction import Interaction
from models.sequence.kan import FourierKAN
from models.sequence.rope import RotarySelfAttention
from models.sequence.side import Side, features_of_pairs
from models.sequence.stem import KmerStem
from models.sequence.tokens import kmer_tokens, reverse_complement
from models.sequence.windows import Windows
from models.streams import Composed, Noise

Tables = Mapping[str, Tensor]
"""Folded tables of the stems, by name."""


class SequenceOutput(NamedTuple):
    """z_i [B, d] interaction features, u [B] sequence potential (unbounded, dimensionless energy).

    stream [B, d]: what the environment sees of a support pair, z_i itself unless there is a dual stream;
    kl [B]: price of the information bottleneck in nats, 0 without one.
    """

    z_i: Tensor
    u: Tensor
    stream: Tensor
    kl: Tensor


class SequencePotential(ModelPart, Composed):
    """U_I = FourierKAN(z_I), z_I = Interaction(SelfAttention(Stem(enhancer)), SelfAttention(Stem(promoter))).

    Between the interaction h and z_I there may be, in this order: `bottleneck`, a linear map to fewer dimensions
    (M07); `stochastic`, the information bottleneck (M33, vib); `environment_stream` = w, orthogonal streams of
    which z_I is the intrinsic one (M34). `share_sides` uses one stem for both sides; `share_strands` averages the
    pooled stem features of a sequence and its reverse complement: the output is the same for all four orientations.
    `halved`: what lies between stem and z_I runs in bfloat16 (`precision: bf16`).

    Shapes: enhancer [B, L_e], promoter [B, L_p], integers (A C G T N = 0..4, padding 4 on the right, at least 6 bp wide),
    or `Windows` -> SequenceOutput(z_i [B, d], u [B], stream [B, d], kl [B]). More padding changes nothing. All-null
    sequences give finite output. A window that several pairs have goes once through what neither noise nor the other
    side enters: the stem in training, self-attention too where there is no noise. Source: M01 to M06; rp04.
    """

    group = "S"
    keys: ClassVar = frozenset(
        {"embedding", "kernel", "width", "pool", "dropout", "share_sides", "share_strands", "heads"}
        | {"self_attention_layers", "grid", "nonnegative", "bottleneck", "precision"}
    )
    """Keys of the block `model` that it is built from, beside those of its interaction."""
    streams: ClassVar = {
        "stems": "stems",
        "enhancer_attention": "enhancer_attention",
        "promoter_attention": "promoter_attention",
        "interaction": "interaction",
        "narrow": "narrow",
        "information": "information",
        "dual": "dual",
        "energy": "energy",
    }

    def __init__(
        self,
        interaction: Interaction,
        *,
        embedding: int,
        kernel: int,
        width: int,
        pool: int,
        dropout: float,
        share_sides: bool,
        share_strands: bool,
        heads: int,
        self_attention_layers: int,
        grid: int,
        nonnegative: bool = False,
        bottleneck: int | None = None,
        precision: Literal["float32", "bf16"] = "float32",
        stochastic: bool = False,
        environment_stream: int | None = None,
    ) -> None:
        super().__init__()
        self.features = width if bottleneck is None else bottleneck
        self.share_sides, self.share_strands = share_sides, share_strands
        self.halved = precision == "bf16"
        self.answer: SequenceOutput | None = None
        """What a stack that it is a part of has computed for it, which it says in place of running (`sequence.stacked`)."""
        names = ("both",) if share_sides else ("enhancer", "promoter")
        self.stems = nn.ModuleDict(
            {name: KmerStem(embedding, kernel, width, pool, dropout) for name in names}
        )
        attention = (width, heads, dropout)
        self.enhancer_attention = nn.ModuleList(
            RotarySelfAttention(*attention) for _ in range(self_attention_layers)
        )
        self.promoter_attention = nn.ModuleList(
            RotarySelfAttention(*attention) for _ in range(self_attention_layers)
        )
        self.interaction = interaction
        self.narrow = None if bottleneck is None else nn.Linear(width, bottleneck)
        self.information = InformationBottleneck(self.features) if stochastic else None
        self.dual = None if environment_stream is None else DualStream(self.features, environment_stream)
        self.energy = FourierKAN(self.features, grid, nonnegative=nonnegative)

    def forward(
        self,
        enhancer: Tensor | Windows,
        promoter: Tensor | Windows,
        noise: Noise | None = None,
        *,
        tables: Tables | None = None,
        batch: int | None = None,
    ) -> SequenceOutput:
        """`tables`: of the present parameters, where they are there already; `batch`: most windows or pairs at once where
        there is no noise (None: all)."""
        sides = Windows.of(enhancer), Windows.of(promoter)
        if self.answer is not None:
            for side in sides:  # of which it was computed: who listens to what is read hears it
                side.read(side.numbers)
            return self.answer
        tables = self.tables() if tables is None else tables
        if noise is None:
            return self._quiet(*sides, tables, batch or max(1, len(sides[0].row)))
        return self._meet(*self._noisy(*sides, tables, noise), noise)

    def tables(self) -> Tables:
        """The folded tables of the stems with the present parameters; several passes of one step may share them."""
        with torch.autocast(self.energy.cosine.device.type, enabled=False):
            return {name: self._stem(name).table() for name in self.stems}

    def _quiet(self, enhancer: Windows, promoter: Windows, tables: Tables, batch: int) -> SequenceOutput:
        """Without noise: every promoter once, with all of its pairs, and every enhancer (see `features_of_pairs`)."""

        def made(numbers: Tensor) -> Side:
            return self._features("enhancer", enhancer.read(numbers), tables)

        enhancers = features_of_pairs(enhancer, made, batch)
        parts, places = [], []
        for numbers, pairs in promoter.in_groups(batch):
            promoters = self._features("promoter", promoter.read(numbers), tables)
            for some in pairs.split(batch):
                row = promoter.row[some] - numbers[:1]
                parts.append(self._meet(enhancers(some), promoters.rows(row), None))
                places.append(some)
        back = torch.argsort(torch.cat(places))
        return SequenceOutput(*(torch.cat(each)[back] for each in zip(*parts, strict=True)))

    def _noisy(self, enhancer: Windows, promoter: Windows, tables: Tables, noise: Noise) -> tuple[Side, Side]:
        """Features of each pair's windows, every window once through the stem up to its norm and dropout."""
        with torch.autocast(self.energy.cosine.device.type, enabled=False):
            e, p = (
                self._peaked(name, windows.read(windows.numbers), tables).rows(windows.row)
                for name, windows in (("enhancer", enhancer), ("promoter", promoter))
            )
            if self.share_sides:
                # One finish over both sides: a dropout module draws once per forward pass.
                both = self._stem("both").finish(torch.cat([e.h, p.h], dim=1), noise)
                h_e, h_p = both.split([e.h.shape[1], p.h.shape[1]], dim=1)
            else:
                h_e, h_p = (
                    self._stem("enhancer").finish(e.h, noise),
                    self._stem("promoter").finish(p.h, noise),
                )
        return (
            self._attended("enhancer", Side(h_e, e.mask), noise),
            self._attended("promoter", Side(h_p, p.mask), noise),
        )

    def _features(self, name: str, bases: Tensor, tables: Tables) -> Side:
        """What a side's windows [M, L] are worth before the two sides meet, without noise."""
        with torch.autocast(bases.device.type, enabled=False):
            peaks = self._peaked(name, bases, tables)
            stem = self._stem("both" if self.share_sides else name)
            side = Side(stem.finish(peaks.h, None), peaks.mask)
        return self._attended(name, side, None)

    def _attended(self, name: str, side: Side, noise: Noise | None) -> Side:
        """After the self-attention of that side."""
        h = side.h
        with self._halves(h):
            for layer in self.enhancer_attention if name == "enhancer" else self.promoter_attention:
                h = layer(h, side.mask, noise)
        return Side(h, side.mask)

    def _halves(self, like: Tensor) -> contextlib.AbstractContextManager[object]:
        """What lies between stem and z_I runs in this."""
        if not self.halved:
            return contextlib.nullcontext()
        return torch.autocast(like.device.type, dtype=torch.bfloat16)

    def _meet(self, enhancer: Side, promoter: Side, noise: Noise | None) -> SequenceOutput:
        """Pair by pair."""
        with self._halves(enhancer.h):
            z_i = self.interaction(enhancer.h, enhancer.mask, promoter.h, promoter.mask, noise)
        # What follows is one row per pair, and a mantissa of eight bits would tie pairs that differ.
        with torch.autocast(z_i.device.type, enabled=False):
            return self._potential(at_least_float32(z_i), noise)

    def _potential(self, z_i: Tensor, noise: Noise | None) -> SequenceOutput:
        """From the interaction's output [B, width] to z_I and U_I."""
        if self.narrow is not None:
            z_i = self.narrow(z_i)
        kl = z_i.new_zeros(z_i.shape[0])
        if self.information is not None:
            z_i, kl = self.information(z_i, noise)
        stream = z_i
        if self.dual is not None:
            z_i, stream = self.dual(z_i)
        return SequenceOutput(z_i, self.energy(z_i), stream, kl)

    def _peaked(self, name: str, bases: Tensor, tables: Tables) -> Side:
        """The stem of a side over windows [M, L], before its norm."""
        # The stem stays in float32 under autocast: thousands of additions land on one entry of its table's gradient.
        with torch.autocast(bases.device.type, enabled=False):
            key = "both" if self.share_sides else name
            return Side(*self._peaks(self._stem(key), bases, tables[key]))

    def _stem(self, name: str) -> KmerStem:
        stem = self.stems[name]
        assert isinstance(stem, KmerStem)
        return stem

    def _peaks(self, stem: KmerStem, bases: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        if not self.share_strands:
            return stem.peaks(kmer_tokens(bases), table)
        other = reverse_complement(bases)
        # Twice turned, a sequence is itself without leading N, which keeps the pair of strands unordered.
        strands = torch.cat([reverse_complement(other), other])
        peaks, mask = stem.peaks(kmer_tokens(strands), table)
        weighted = (peaks * mask[..., None]).unflatten(0, (2, -1)).sum(0)
        count = mask.unflatten(0, (2, -1)).sum(0)
        return weighted / count.clamp_min(1.0)[..., None], count.clamp_max(1.0)


declare(
    "M07", "share_sides", kind="sharing", name="one stem for both sides", when={"model.share_sides": True},
    equation="Stem_E = Stem_P", shapes="bases [B, L] -> h [B, P, d]", source="source document 004", group="S",
    off={"model.share_sides": False},
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
)  # fmt: skip
declare(
    "M07", "share_strands", kind="sharing", name="reverse-complement sharing",
    when={"model.share_strands": True}, equation="h = 1/2 (Stem(x) + Stem(rc x)) after pooling",
    shapes="bases [B, L] -> h [B, P, d]", source="source document 004; definitions, Sizes", group="S",
    off={"model.share_strands": False},
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
)  # fmt: skip
declare(
    "M07", "bottleneck", kind="bottleneck", name="bottleneck on z_I", when={"model.bottleneck": GIVEN},
    equation="z_I <- W z_I, W [n, d], n < d", shapes="[B, d] -> [B, n]", source="source document 004", group="S",
    off={"model.bottleneck": None},
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
)  # fmt: skip
