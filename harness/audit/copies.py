"""Deep copies of one thing, many times: what it consists of is gone through once, and each copy is made from that."""

import copy
import io
import pickle
import types
import weakref
from collections.abc import Collection, Iterable
from typing import Any

from torch import Tensor

SAME = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, property, weakref.ref)
"""What a deep copy has in common with its original."""


class Copies:
    """Copies of a thing as it is now, by pickling, which goes through a trainer's many small parts in a part of the time of
    `copy.deepcopy`; tensors are cloned, also where they share memory. `shared`: what all copies have in common with the
    original. What cannot be pickled is copied by `copy.deepcopy`, as it is when the copy is made.
    """

    def __init__(self, original: Any, shared: Iterable[Any]) -> None:
        self.original, self.shared = original, {id(part): part for part in shared}
        self.kept: list[Any] = []
        written = io.BytesIO()
        try:
            _Writer(written, self.kept, self.shared.keys()).dump(original)
        except (pickle.PicklingError, TypeError, AttributeError):
            self.kept, written = [], io.BytesIO()
        self._written = written.getvalue()

    def copy(self) -> Any:
        """Another one."""
        if not self._written:
            return copy.deepcopy(self.original, dict(self.shared))
        return _Reader(io.BytesIO(self._written), self.kept, dict(self.shared)).load()


class _Writer(pickle.Pickler):
    """Puts tensors, and what copies have in common, into `kept` and their numbers in its place."""

    def __init__(self, file: io.BytesIO, kept: list[Any], shared: Collection[int]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.kept, self.shared = kept, shared
        self.numbers: dict[int, int] = {}
        self.kinds: dict[type, bool] = {}
        """Class -> whether its objects are kept."""

    def persistent_id(self, obj: Any) -> int | None:
        kind = type(obj)
        if kind not in self.kinds:
            self.kinds[kind] = issubclass(kind, (Tensor, *SAME))
        if not self.kinds[kind] and id(obj) not in self.shared:
            return None
        number = self.numbers.setdefault(id(obj), len(self.kept))
        if number == len(self.kept):
            self.kept.append(obj)
        return number


class _Reader(pickle.Unpickler):
    """Takes what is `kept` by its number, tensors as copies; `copied`: what was copied, by the original's id, as
    `copy.deepcopy` has it."""

    def __init__(self, file: io.BytesIO, kept: list[Any], copied: dict[int, Any]) -> None:
        super().__init__(file)
        self.parts = [_copied(part, copied) if isinstance(part, Tensor) else part for part in kept]

    def persistent_load(self, pid: Any) -> Any:
        return self.parts[pid]


def _copied(tensor: Tensor, copied: dict[int, Any]) -> Tensor:
    """What `copy.deepcopy` makes of a tensor; without its detours for one that is all of its memory and nothing else."""
    alone = tensor.untyped_storage().nbytes() == tensor.nbytes and not vars(tensor)
    if type(tensor) is not Tensor or tensor.requires_grad or not alone:
        other: Tensor = copy.deepcopy(tensor, copied)
        return other
    made: Tensor = copied.setdefault(id(tensor), tensor.clone())
    return made
