"""The stem's equation as the audit has it: that of the model on any bases, and what is otherwise behind a stem is said."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness.audit.stem_reference import StemOutput, strange_stem
from models.sequence import potential
from models.sequence.cnn import Cnn
from models.sequence.potential import SequencePotential
from models.sequence.stem import KmerStem
from models.sequence.tokens import NULL_BASE, kmer_tokens
from models.streams import initialise
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_promises import said

Patch = Callable[[pytest.MonkeyPatch], None]


def heard(sequence: SequencePotential, bases: Tensor) -> StemOutput:
    side = sequence._features("enhancer", bases, sequence.tables())  # what the interaction is given
    return StemOutput(side.h, side.mask)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 3),
    length=st.integers(6, 70),
    strands=st.booleans(),
    kernel=st.integers(1, 9),
    pool=st.integers(1, 13),
    seed=st.integers(0, 999),
)
def test_the_equation_is_the_models(
    rows: int, length: int, strands: bool, kernel: int, pool: int, seed: int
) -> None:
    sequence = SequencePotential(
        Cnn(8, 0.0),
        embedding=4, kernel=kernel, width=8, pool=pool, dropout=0.1, share_sides=False, share_strands=strands,
        heads=2, self_attention_layers=0, grid=3,
    )  # fmt: skip
    initialise(sequence, seed)
    draw = torch.Generator().manual_seed(seed)
    bases = torch.randint(0, 4, (rows, length), generator=draw, dtype=torch.uint8)
    bases[torch.rand(bases.shape, generator=draw) < 0.03] = NULL_BASE
    bases[-1, length - seed % 5 :] = NULL_BASE
    with torch.no_grad():
        output = heard(sequence, bases)
        assert strange_stem(sequence, 0, bases, output) == ""
        if bool((output.mask > 0).any()):
            assert "from its equation" in strange_stem(sequence, 0, bases, output._replace(h=output.h + 1))
            other = output._replace(mask=torch.zeros_like(output.mask))
            assert "0 pooling windows of the enhancer are read" in strange_stem(sequence, 0, bases, other)


def last_window_left_out(patch: pytest.MonkeyPatch) -> None:
    frame = KmerStem._frame

    def broken(self: KmerStem, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded, valid, mask = frame(self, tokens)
        whole = F.pad(valid, (0, -valid.shape[1] % self.pool)).unflatten(1, (-1, self.pool)).all(dim=2)
        whole[:, :1] = mask[:, :1]
        return padded, valid, whole

    patch.setattr(KmerStem, "_frame", broken)


def five_mers(patch: pytest.MonkeyPatch) -> None:
    """The last base of a word is forgotten."""
    patch.setattr(
        potential, "kmer_tokens", lambda bases: torch.where((t := kmer_tokens(bases)) < 4096, t // 4 * 4, t)
    )


def unnormed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KmerStem, "finish", lambda self, peaks, noise: self.dropout(peaks, noise))


def one_strand(patch: pytest.MonkeyPatch) -> None:
    def broken(self: SequencePotential, stem: KmerStem, bases: Tensor, table: Tensor) -> Any:
        return stem.peaks(kmer_tokens(bases), table)

    patch.setattr(SequencePotential, "_peaks", broken)


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        (last_window_left_out, "of them hold a k-mer"),
        (five_mers, "behind the stem differ"),
        (unnormed, "behind the stem differ"),
        (one_strand, "behind the stem differ"),
    ],
)
@pytest.mark.parametrize("encoder", ["cnn", "cbat"])
def test_a_stem_that_makes_something_else_is_said(
    patch: Patch, sentence: str, encoder: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"model.encoder": encoder, "model.share_strands": patch is one_strand}
    if encoder == "cbat":
        changes |= {"model.heads": 2, "model.blocks": 1, "model.self_attention_layers": 1}
    unit_run = make_unit(changes)
    patch(monkeypatch)
    assert sentence in said(unit_run)["sequence broken"]
