"""State of the whole process that a person's file must leave as it is: every trial of the process would differ by it."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Shared(NamedTuple):
    """One state: what it is, words of which one stands in a line that changes it, the module without which it is not
    there, and how it is read from that module."""

    what: str
    words: tuple[str, ...]
    module: str
    read: Callable[[Any], object]


SHARED = (
    Shared(
        "torch's default dtype",
        ("set_default_dtype", "set_default_tensor_type"),
        "torch",
        lambda torch: torch.get_default_dtype(),
    ),
    Shared(
        "torch's deterministic algorithms",
        ("use_deterministic_algorithms", "set_deterministic_debug_mode", "cudnn"),
        "torch",
        lambda torch: (
            torch.get_deterministic_debug_mode(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
        ),
    ),
    Shared(
        "torch's precision of products",
        ("set_float32_matmul_precision", "allow_tf32"),
        "torch",
        lambda torch: torch.get_float32_matmul_precision(),
    ),
    Shared("torch's number of threads", ("set_num_threads",), "torch", lambda torch: torch.get_num_threads()),
    Shared(
        "whether torch keeps gradients",
        ("set_grad_enabled", "no_grad"),
        "torch",
        lambda torch: torch.is_grad_enabled(),
    ),
    Shared(
        "torch's random state",
        ("manual_seed", "torch.", "nn."),
        "torch",
        lambda torch: torch.get_rng_state().numpy().tobytes(),
    ),
    Shared(
        "numpy's handling of errors",
        ("seterr",),
        "numpy",
        lambda numpy: tuple(sorted(numpy.geterr().items())),
    ),
    Shared("numpy's random state", ("random.",), "numpy", lambda numpy: repr(numpy.random.get_state())),
    Shared("Python's random state", ("random.", "seed"), "random", lambda _: random.getstate()),
    Shared("Python's limit of recursion", ("setrecursionlimit",), "sys", lambda _: sys.getrecursionlimit()),
    Shared("where Python looks for modules", ("sys.path",), "sys", lambda _: tuple(sys.path)),
    Shared("the working folder", ("chdir",), "os", lambda _: os.getcwd()),
)


def state() -> dict[str, object]:
    """What is shared -> its state now, of the modules that are loaded."""
    return {each.what: each.read(sys.modules[each.module]) for each in SHARED if each.module in sys.modules}


def changes(before: dict[str, object], source: str) -> Iterator[tuple[str, int]]:
    """(what is another one than `before`, the line of the source that says so, or 1)."""
    now = state()
    lines = [
        (number, line)
        for number, line in enumerate(source.splitlines(), start=1)
        if not line.lstrip().startswith(("import ", "from "))
    ]
    for each in SHARED:
        if each.what in before and before[each.what] != now[each.what]:
            said = (number for number, line in lines if any(word in line for word in each.words))
            yield each.what, next(said, 1)
