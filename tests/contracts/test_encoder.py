"""The whole sequence side: shapes, padding, strands, null input, seeds, and stacked units."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from harness.config.blocks.model import ModelBlock
from models.building import build_sequence
from models.sequence.cbat import Cbat
from models.sequence.potential import SequenceOutput, SequencePotential
from models.sequence.stem import KmerStem
from models.sequence.tokens import reverse_complement
from models.streams import SeededNoise, initialise
from tests.contracts.settings import rows
from tests.models.recorded_noise import RecordedNoise
from tests.typed import as_a

KEYS = rows()["encoder"]
SMALL: dict[str, Any] = {
    "size": "small",
    "embedding": 4,
    "kernel": 5,
    "width": 8,
    "heads": 2,
    "pool": 8,
    "window": 4,
}


def network(encoder: str, seed: int = 0, **changes: Any) -> SequencePotential:
    block = ModelBlock.model_validate({**SMALL, "encoder": encoder, **changes})
    model = build_sequence(block.model_dump()).double()
    initialise(model, seed)
    return model


def sequences(seed: int = 1, samples: int = 2) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    enhancer = torch.randint(0, 4, (samples, 50), generator=source, dtype=torch.uint8)
    promoter = torch.randint(0, 4, (samples, 90), generator=source, dtype=torch.uint8)
    enhancer[0, 41:] = 4
    promoter[-1, 20:24] = 4
    return enhancer, promoter


def pad(bases: Tensor, count: int) -> Tensor:
    return torch.cat([bases, torch.full((bases.shape[0], count), 4, dtype=bases.dtype)], dim=1)


class Recorder:
    """Draws masks and normal numbers as SeededNoise does and keeps them."""

    def __init__(self, seed: int) -> None:
        self.source = SeededNoise(seed, step=0)
        self.masks: dict[str, Tensor] = {}

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        assert name not in self.masks, f"{name} drew twice in one forward pass"
        self.masks[name] = self.source.mask(name, like, keep)
        return self.masks[name]

    def normal(self, name: str, like: Tensor) -> Tensor:
        assert name not in self.masks, f"{name} drew twice in one forward pass"
        self.masks[name] = self.source.normal(name, like)
        return self.masks[name]


@pytest.mark.parametrize("encoder", KEYS)
@pytest.mark.parametrize("share", [False, True])
def test_shapes_gradients_and_dropout(encoder: str, share: bool) -> None:
    model = network(encoder, share_sides=share, share_strands=share, blocks=2)
    out = model(*sequences(), Recorder(3))
    assert isinstance(out, SequenceOutput)
    assert out.z_i.shape == (2, 8)
    assert out.u.shape == (2,)
    out.u.sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A key's bias moves all scores of a row alike, which a softmax does not see.
    assert [name for name in silent if not name.endswith("pooling.key.bias")] == []
    assert not torch.equal(out.u, model(*sequences()).u)
    torch.testing.assert_close(model(*sequences(), Recorder(3)), out, rtol=0, atol=0)


@pytest.mark.parametrize("encoder", KEYS)
@pytest.mark.parametrize("share_strands", [False, True])
def test_padding_changes_nothing(encoder: str, share_strands: bool) -> None:
    model = network(encoder, share_strands=share_strands)
    enhancer, promoter = sequences()
    expected = model(enhancer, promoter)
    for more_e, more_p in ((3, 0), (0, 5), (40, 77)):
        torch.testing.assert_close(
            model(pad(enhancer, more_e), pad(promoter, more_p)), expected, rtol=1e-10, atol=1e-10
        )


@pytest.mark.parametrize("encoder", KEYS)
def test_shared_strands_make_the_four_orientations_equal(encoder: str) -> None:
    enhancer, promoter = sequences()
    promoter[0, :3] = 4  # leading N
    other_e, other_p = reverse_complement(enhancer), reverse_complement(promoter)
    shared, single = network(encoder, share_strands=True), network(encoder)
    expected = shared(enhancer, promoter)
    for e, p in ((other_e, promoter), (enhancer, other_p), (other_e, other_p)):
        torch.testing.assert_close(shared(e, p), expected, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(single(e, p).u, single(enhancer, promoter).u, rtol=1e-6)


@pytest.mark.parametrize("encoder", KEYS)
@pytest.mark.parametrize("share_strands", [False, True])
def test_null_sequences_give_finite_output_and_gradients(encoder: str, share_strands: bool) -> None:
    model = network(encoder, share_strands=share_strands)
    enhancer, promoter = sequences(samples=3)
    enhancer[0], promoter[0], enhancer[1], promoter[2] = 4, 4, 4, 4
    out = model(enhancer, promoter)
    (out.u.sum() + out.z_i.sum()).backward()
    assert torch.isfinite(out.u).all()
    assert torch.isfinite(out.z_i).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("encoder", KEYS)
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("own_batches", [False, True])
def test_stacked_replicates_equal_separate_ones(encoder: str, share: bool, own_batches: bool) -> None:
    models = [network(encoder, seed, share_sides=share, share_strands=share) for seed in range(3)]
    batches = [sequences(seed if own_batches else 1) for seed in range(3)]
    masks: list[dict[str, Tensor]] = []
    separate = []
    for seed, (model, batch) in enumerate(zip(models, batches, strict=True)):
        recorder = Recorder(seed)
        out = model(*batch, recorder)
        loss = (out.u.square() + out.z_i.sum(-1)).sum()
        separate.append((out, torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)))
        masks.append(recorder.masks)
    parameters, buffers = stack_module_state(models)
    skeleton = copy.deepcopy(models[0]).to("meta")
    stacked_masks = {name: torch.stack([m[name] for m in masks]) for name in masks[0]}

    def loss_of(p: dict, e: Tensor, q: Tensor, m: dict) -> tuple[Tensor, SequenceOutput]:
        out = functional_call(skeleton, (p, buffers), (e, q, RecordedNoise(m)))
        return (out.u.square() + out.z_i.sum(-1)).sum(), out

    if own_batches:
        inputs, axis = [torch.stack(side) for side in zip(*batches, strict=True)], 0
    else:
        inputs, axis = list(batches[0]), None
    step: Callable[..., Any] = vmap(grad(loss_of, has_aux=True), in_dims=(0, axis, axis, 0))
    gradients, out = step(parameters, *inputs, stacked_masks)
    for i, (expected, grads) in enumerate(separate):
        torch.testing.assert_close(out.z_i[i], expected.z_i, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(out.u[i], expected.u, rtol=1e-9, atol=1e-9)
        for (name, _), value in zip(models[i].named_parameters(), grads, strict=True):
            torch.testing.assert_close(gradients[name][i], value, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("encoder", KEYS)
def test_initialisation_depends_on_seed_and_name_only(encoder: str) -> None:
    torch.manual_seed(1)
    first = network(encoder, seed=5).state_dict()
    torch.manual_seed(2)
    again, other = network(encoder, seed=5).state_dict(), network(encoder, seed=6).state_dict()
    deeper = network(encoder, seed=5, self_attention_layers=2).state_dict()
    for name, value in first.items():
        assert torch.equal(value, again[name])
        assert torch.equal(value, deeper[name])
    assert not torch.equal(first["energy.cosine"], other["energy.cosine"])


@pytest.mark.parametrize("encoder", KEYS)
def test_each_side_matters_and_pairs_do_not_see_each_other(encoder: str) -> None:
    model = network(encoder)
    enhancer, promoter = sequences(samples=3)
    whole = model(enhancer, promoter)
    torch.testing.assert_close(model(enhancer[1:2], promoter[1:2]).u, whole.u[1:2], rtol=1e-10, atol=1e-10)
    assert not torch.allclose(model(enhancer.flip(0), promoter).u[0], whole.u[0])
    assert not torch.allclose(model(enhancer, promoter.flip(0)).u[0], whole.u[0])


def test_the_documented_size_has_the_documented_shapes() -> None:
    block = ModelBlock(size="documented", embedding=768, kernel=43, width=64)
    model = build_sequence(block.model_dump())
    stem = as_a(KmerStem, model.stems["enhancer"])
    assert tuple(stem.weight.shape) == (64, 768, 43)
    assert tuple(stem.embedding.shape) == (4096, 768)
    assert tuple(model.energy.cosine.shape) == (129, 64, 6)
    assert as_a(Cbat, model.interaction).enhancer_reads.anchors.count == 2


def test_mistakes_in_the_block_are_errors() -> None:
    settings = ModelBlock.model_validate(SMALL).model_dump()
    with pytest.raises(ValueError, match=r"not resolved: width must be given"):
        build_sequence({**settings, "width": None})
    with pytest.raises(TypeError, match="wdith"):
        build_sequence({**settings, "wdith": 8})
    with pytest.raises(KeyError, match="did you mean 'cbat'"):
        build_sequence({**settings, "encoder": "cbta"})
    with pytest.raises(ValueError, match="does not split into 3 heads"):
        build_sequence({**settings, "heads": 3})
    with pytest.raises(ValueError, match="hold no 6-mer"):
        network("cnn")(torch.zeros(1, 5, dtype=torch.uint8), torch.zeros(1, 9, dtype=torch.uint8))
