"""What sequence side and set encoders promise of every pair and set: a promise that is broken is named, and no other."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit.probe import Probe
from harness.audit.sequence_promises import SequencePromises
from harness.audit.set_promises import broken_sets
from harness.audit.twins import Twins
from models.environment.set_encoders import HEADS, AttentionBlock, MeanEncoder
from models.sequence import cross_attention, potential, rope
from models.sequence.cbat import Cbat
from models.sequence.potential import SequencePotential
from models.sequence.rope import RotarySelfAttention
from models.sequence.stem import KmerStem
from models.sequence.windows import Windows
from tests.harness.conftest import MakeUnit

Broken = Callable[..., Any]
CROSS = {"model.encoder": "cross_attention", "model.heads": 2, "model.blocks": 1}
CBAT = {"model.encoder": "cbat", "model.heads": 2, "model.blocks": 1, "model.self_attention_layers": 1}
STRANDS = {"model.share_strands": True}


def said(unit: Any) -> dict[str, str]:
    """Noun -> sentence of what is asked before training."""
    twins = Twins(Probe(unit.subject, step_s=1.0, warm=False))
    findings = SequencePromises(twins, windows=True).ask() + broken_sets(twins, elements=True)
    return {f"{finding.mechanism} {finding.verdict}": finding.reason for finding in findings}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**CROSS, **STRANDS},
        {**CBAT, "environment.encoder": "isab"},
        {"environment.encoder": "attention", "model.share_sides": True},
        {"environment.encoder": "mean", "support.size": 2},
    ],
)
def test_no_intact_part_breaks_a_promise(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    assert said(make_unit(changes)) == {}


def wrong_axis(self: AttentionBlock, x: Tensor, y: Tensor) -> Tensor:
    q = self.query(x)
    heads = [t.unflatten(-1, (HEADS, -1)).transpose(-3, -2) for t in (q, self.key(y), self.value(y))]
    score = heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(heads[0].shape[-1])
    h = self.norm_attention(q + (score.softmax(-2) @ heads[2]).transpose(-3, -2).flatten(-2))
    out: Tensor = self.norm_feed(h + torch.relu(self.feed(h)))
    return out


def lower_half(self: MeanEncoder, x: Tensor) -> Tensor:
    order = x[..., -1].argsort(-1)[..., : x.shape[-2] // 2].unsqueeze(-1)
    out: Tensor = self.rho(self.phi(x.gather(-2, order.expand(*order.shape[:-1], x.shape[-1]))).mean(-2))
    return out


@pytest.mark.parametrize(
    ("cls", "method", "broken", "changes", "sentence"),
    [
        (
            AttentionBlock,
            "forward",
            wrong_axis,
            {"environment.encoder": "attention"},
            "how often a set of pairs stands",
        ),
        (
            AttentionBlock,
            "forward",
            wrong_axis,
            {"environment.encoder": "isab"},
            "how often a set of pairs stands",
        ),
        (
            MeanEncoder,
            "encode",
            lambda self, x: self.rho(self.phi(x).sum(-2)),
            {"environment.encoder": "mean"},
            "how often a set of pairs stands",
        ),
        (MeanEncoder, "encode", lower_half, {"environment.encoder": "mean"}, "passes over pair"),
    ],
    ids=["attention over the wrong axis", "in the Set Transformer", "a sum", "half of the set"],
)
def test_a_set_encoder_that_does_not_average_is_named(
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
    cls: type,
    method: str,
    broken: Broken,
    changes: dict[str, Any],
    sentence: str,
) -> None:
    unit = make_unit(changes)
    monkeypatch.setattr(cls, method, broken)
    (text,) = (text for noun, text in said(unit).items() if noun.startswith("support"))
    assert sentence in text


def blind(patch: pytest.MonkeyPatch) -> None:
    forward = SequencePotential.forward

    def half(self: SequencePotential, enhancer: Any, promoter: Any, noise: Any = None, **named: Any) -> Any:
        windows = Windows.of(promoter)

        def shown(numbers: Tensor) -> Tensor:
            bases = windows.read(numbers).clone()
            bases[:, bases.shape[1] // 2 :] = 4
            return bases

        return forward(self, enhancer, windows._replace(read=shown), noise, **named)

    patch.setattr(SequencePotential, "forward", half)


def batch_norm(patch: pytest.MonkeyPatch) -> None:
    def finish(self: KmerStem, peaks: Tensor, noise: Any) -> Tensor:
        return self.dropout((peaks - peaks.mean((0, 1))) / (peaks.std((0, 1)) + 0.1), noise)

    patch.setattr(KmerStem, "finish", finish)


def unmasked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rope, "mask_bias", lambda allowed, dtype: torch.zeros(allowed.shape, dtype=dtype))


def whole_mean(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cross_attention, "masked_mean", lambda h, m: (h * m[..., None]).sum(1) / m.shape[1])


def not_turned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        potential, "reverse_complement", lambda b: torch.where(b < 4, 3 - b.clamp(max=3), 4).to(b.dtype)
    )


def own_side(patch: pytest.MonkeyPatch) -> None:
    def forward(self: Cbat, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Any = None) -> Tensor:
        sides = (h_e, m_e, h_e, m_e, noise), (h_p, m_p, h_e, m_e, noise)
        return self.direction(self.enhancer_reads(*sides[0]), self.promoter_reads(*sides[1]))

    patch.setattr(Cbat, "forward", forward)


def no_positions(patch: pytest.MonkeyPatch) -> None:
    def forward(self: RotarySelfAttention, h: Tensor, mask: Tensor, noise: Any = None) -> Tensor:
        x = self.norm(h)
        h = h + self.dropout(self.attention(x, x, mask[:, None], None), noise)
        return h + self.feed_dropout(self.feed(self.feed_norm(h)), noise)

    patch.setattr(RotarySelfAttention, "forward", forward)


@pytest.mark.parametrize(
    ("broken", "changes", "sentence"),
    [
        (blind, {}, "of the promoter are not read"),
        (batch_norm, {}, "depends on which other pairs are read with it"),
        (unmasked, CROSS, "depends on the padding of its"),
        (whole_mean, CROSS, "depends on the padding of its"),
        (not_turned, STRANDS, "the other strand of the enhancer gives another U_I"),
        (own_side, CBAT, "Cbat.enhancer_reads does not read the promoter"),
        (no_positions, CBAT, "does not know positions"),
    ],
)
def test_a_sequence_side_that_breaks_a_promise_is_named(
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
    changes: dict[str, Any],
    sentence: str,
) -> None:
    unit = make_unit(changes)
    broken(monkeypatch)
    assert any(sentence in text for noun, text in said(unit).items() if noun.startswith("sequence"))
