"""M01: tokens, strands, and the folded stem against the plain Embedding -> Conv1d -> ReLU -> MaxPool1d."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call, grad, stack_module_state, vmap

from models.sequence import stem_fold
from models.sequence.stem import KmerStem
from models.sequence.tokens import kmer_tokens, reverse_complement
from models.streams import initialise
from tests.models.recorded_noise import RecordedNoise

K = 2
NULL = 4**K


def small_stem(kernel: int = 5, pool: int = 4, seed: int = 0) -> KmerStem:
    stem = KmerStem(embedding=3, kernel=kernel, width=6, pool=pool, dropout=0.35, k=K).double()
    initialise(stem, seed)
    return stem


def gradients(stem: KmerStem, features: torch.Tensor) -> list[torch.Tensor]:
    weights = torch.randn(features.shape, dtype=features.dtype, generator=torch.Generator().manual_seed(9))
    return list(torch.autograd.grad((features * weights).sum(), list(stem.parameters())))


def test_tokens_are_base_four_and_null_where_a_base_is_missing() -> None:
    bases = torch.tensor([[0, 1, 2, 3, 4, 0, 1], [3, 3, 3, 3, 3, 3, 200]], dtype=torch.uint8)
    assert kmer_tokens(bases, 3).tolist() == [[6, 27, 64, 64, 64], [63, 63, 63, 63, 64]]
    assert kmer_tokens(torch.full((1, 6), 3, dtype=torch.uint8)).tolist() == [[4095]]
    with pytest.raises(ValueError, match="hold no 6-mer"):
        kmer_tokens(bases[:, :5])


def test_reverse_complement_keeps_the_padding_on_the_right() -> None:
    bases = torch.tensor([[0, 0, 1, 4, 2, 4, 4], [0, 1, 2, 3, 0, 1, 2], [4] * 7], dtype=torch.uint8)
    other = reverse_complement(bases)
    assert other.tolist() == [[1, 4, 2, 3, 3, 4, 4], [1, 2, 3, 0, 1, 2, 3], [4] * 7]
    assert other.dtype == torch.uint8
    assert torch.equal(reverse_complement(other), bases)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_fold_equals_plain_in_value_and_gradient(data: st.DataObject) -> None:
    """Random tokens with nulls, ties (repeats, all-null windows), and sequences shorter than the kernel."""
    kernel, pool = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 7))
    length, samples = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 3))
    vocabulary = data.draw(st.sampled_from([[0, 1], [5, NULL], list(range(NULL + 1))]))
    row = st.lists(st.sampled_from(vocabulary), min_size=length, max_size=length)
    tokens = torch.tensor(data.draw(st.lists(row, min_size=samples, max_size=samples)))
    stem = small_stem(kernel, pool)
    fast, mask = stem(tokens)
    plain, plain_mask = stem.plain(tokens)
    assert torch.equal(mask, plain_mask)
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10)
    for ours, reference in zip(gradients(stem, fast), gradients(stem, plain), strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-8, atol=1e-9)


def test_tap_groups_and_sample_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.randint(0, NULL + 1, (5, 40), generator=torch.Generator().manual_seed(1))
    stem = small_stem()
    whole = stem(tokens)[0]
    monkeypatch.setattr(stem_fold, "CACHE_BYTES", 2 * 17 * 6 * 8)
    monkeypatch.setattr(stem_fold, "BLOCK_BYTES", 2 * 40 * 6 * 8)
    monkeypatch.setattr(stem_fold, "INDEX_ENTRIES", 100)
    split = stem(tokens)[0]
    torch.testing.assert_close(split, whole, rtol=1e-12, atol=1e-12)
    for ours, reference in zip(gradients(stem, split), gradients(stem, whole), strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-10)


def test_float32_documented_vocabulary_agrees_in_relative_norm() -> None:
    stem = KmerStem(embedding=24, kernel=11, width=16, pool=24, dropout=0.35)
    initialise(stem, 3)
    bases = torch.randint(0, 4, (3, 400), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    tokens = kmer_tokens(bases)
    fast, plain = stem(tokens)[0], stem.plain(tokens)[0]
    assert (fast - plain).norm() <= 1e-5 * plain.norm()
    for ours, reference in zip(gradients(stem, fast), gradients(stem, plain), strict=True):
        assert (ours - reference).norm() <= 1e-5 * reference.norm()


def test_float32_gradients_differ_by_near_ties_alone() -> None:
    """Two tokens whose embeddings differ by one rounding step tie in float32 and not in float64."""
    stem = KmerStem(embedding=24, kernel=11, width=16, pool=24, dropout=0.0)
    initialise(stem, 3)
    half = torch.randint(0, 20, (8, 100, 12), generator=torch.Generator().manual_seed(2))
    tokens = torch.cat([half, half + 20], dim=2).flatten(1)
    with torch.no_grad():
        stem.embedding[20:40] = stem.embedding[:20] * (1.0 + 2e-7)
    differs = stem.disagreement(tokens)
    assert 0 < differs.sum() < 0.2 * differs.numel()
    weights = torch.randn(differs.shape, generator=torch.Generator().manual_seed(1)) * ~differs
    leaves = [stem.embedding, stem.weight, stem.bias]
    fast = torch.autograd.grad((stem.peaks(tokens)[0] * weights).sum(), leaves)
    plain = torch.autograd.grad((stem.plain_peaks(tokens)[0] * weights).sum(), leaves)
    for ours, reference in zip(fast, plain, strict=True):
        assert (ours - reference).norm() <= 1e-5 * reference.norm()
    assert not stem.double().disagreement(tokens[:1]).any()


def test_hand_computed_windows() -> None:
    """e = d = 1, kernel 2, w = (2, -1), E = token: conv[p] = 2 t[p] - t[p+1], null counting 0."""
    stem = KmerStem(embedding=1, kernel=2, width=1, pool=2, dropout=0.0, k=K).double()
    with torch.no_grad():
        stem.embedding.copy_(torch.arange(NULL)[:, None])
        stem.weight.copy_(torch.tensor([[[2.0, -1.0]]]))
        stem.bias.fill_(-1.0)
    tokens = torch.tensor([[1, 5, 3, 1, 2, NULL, NULL, NULL]])
    peaks, mask = stem.peaks(tokens)
    # conv - 1 = -4, 6 | 4, -1 | 3, (null only) | null only
    assert peaks[0, :, 0].tolist() == [6.0, 4.0, 3.0, 0.0]
    assert mask.tolist() == [[1.0, 1.0, 1.0, 0.0]]


def test_more_padding_adds_masked_windows_only() -> None:
    stem = small_stem()
    tokens = torch.randint(0, NULL, (2, 13), generator=torch.Generator().manual_seed(4))
    features, mask = stem(tokens)
    padded = torch.cat([tokens, torch.full((2, 9), NULL)], dim=1)
    longer, longer_mask = stem(padded)
    torch.testing.assert_close(longer[:, :4], features, rtol=0, atol=0)
    assert mask.sum() == longer_mask.sum() == 8
    assert torch.isfinite(longer).all()


def test_gradcheck_of_the_folded_maximum() -> None:
    stem = small_stem(kernel=3)
    tokens = torch.tensor([[0, 3, 7, NULL, 2, 2, 9, 15, 15]])

    def peaks(embedding: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        padded, valid, _ = stem._frame(tokens)
        return stem_fold.folded_max(padded, valid, stem_fold.fold_table(embedding, weight), 4)

    leaves = (stem.embedding, stem.weight)
    assert torch.autograd.gradcheck(peaks, leaves)


@pytest.mark.parametrize("shared_tokens", [True, False])
def test_stacked_parameters_equal_separate_ones(shared_tokens: bool) -> None:
    stems = [small_stem(seed=i) for i in range(3)]
    tokens = torch.randint(0, NULL + 1, (3, 2, 21), generator=torch.Generator().manual_seed(5))
    if shared_tokens:
        tokens = tokens[:1].expand(3, 2, 21)
    masks = (torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(6)) < 0.65).double()
    parameters, buffers = stack_module_state(stems)
    skeleton = copy.deepcopy(stems[0]).to("meta")

    def loss(p: dict, x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        features, _ = functional_call(skeleton, (p, buffers), (x, RecordedNoise({"dropout": m})))
        return (features * torch.arange(6)).square().sum()

    axes = (0, None if shared_tokens else 0, 0)
    stacked = vmap(grad(loss), in_dims=axes)(parameters, tokens[0] if shared_tokens else tokens, masks)
    for i, stem in enumerate(stems):
        features, _ = stem(tokens[i], RecordedNoise({"dropout": masks[i]}))
        value = (features * torch.arange(6)).square().sum()
        separate = torch.autograd.grad(value, list(stem.parameters()))
        for (name, _), expected in zip(stem.named_parameters(), separate, strict=True):
            torch.testing.assert_close(stacked[name][i], expected, rtol=1e-9, atol=1e-9)


def test_initialisation_depends_on_seed_and_name_only() -> None:
    first, second, other = small_stem(seed=7), small_stem(kernel=5, seed=7), small_stem(seed=8)
    assert torch.equal(first.embedding, second.embedding)
    assert not torch.equal(first.embedding, other.embedding)


def test_dropout_follows_the_given_noise() -> None:
    stem = small_stem()
    tokens = torch.zeros(1, 4, dtype=torch.long)
    quiet = stem(tokens)[0]
    mask = torch.tensor([[[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(stem(tokens, RecordedNoise({"dropout": mask}))[0], quiet * mask / 0.65)


def test_a_second_derivative_is_refused() -> None:
    stem = small_stem()
    value = stem(torch.zeros(1, 4, dtype=torch.long))[0].square().sum()
    (first,) = torch.autograd.grad(value, [stem.weight], create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        first.square().sum().backward()
