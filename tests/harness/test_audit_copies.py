"""Copies of a thing by what was once written of it: deep, with what is to be shared, also of what cannot be pickled."""

import threading
from typing import Any

import torch
from torch import nn

from harness.audit.copies import Copies


def model() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    model.register_forward_hook(lambda module, arguments, output: 2 * output)
    return model


def test_a_copy_has_tensors_of_its_own_and_the_same_ties() -> None:
    original = model()
    one, other = (Copies(original, []).copy() for _ in range(2))
    assert one[0].weight is one[1].weight
    assert torch.equal(one[0].weight, original[0].weight)
    assert torch.equal(one(torch.ones(1, 2)), original(torch.ones(1, 2)))
    with torch.no_grad():
        one[0].weight += 1
    assert torch.equal(other[0].weight, original[0].weight)
    assert isinstance(one[0].weight, nn.Parameter)
    assert one[0].weight.requires_grad


def test_hooks_of_a_copy_are_its_own() -> None:
    copies = Copies(model(), [])
    one, other = copies.copy(), copies.copy()
    one.register_forward_hook(lambda module, arguments, output: 0 * output)
    assert not one(torch.ones(1, 2)).any()
    assert other(torch.ones(1, 2)).any()


def test_what_is_shared_is_the_same_in_every_copy() -> None:
    original: dict[str, Any] = {"data": [1], "own": [2], "kind": nn.Linear}
    copied = Copies(original, [original["data"]]).copy()
    assert copied["data"] is original["data"]
    assert copied["own"] == [2]
    assert copied["own"] is not original["own"]
    assert copied["kind"] is nn.Linear


def test_what_cannot_be_pickled_is_copied_deeply() -> None:
    class Odd:
        def __init__(self, lock: object) -> None:
            self.lock, self.values = lock, [1]

        def __reduce_ex__(self, protocol: object) -> Any:
            raise TypeError("cannot be pickled")

        def __deepcopy__(self, memo: dict[int, Any]) -> "Odd":
            return Odd(self.lock)

    original = Odd(threading.Lock())
    copied = Copies(original, []).copy()
    assert copied is not original
    assert copied.lock is original.lock
