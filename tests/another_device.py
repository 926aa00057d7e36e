"""A device beside the CPU that computes as the CPU does: what mixes the two fails as it would on a GPU.

It is torch's device for extensions with tensors that hold those of the CPU. `install` changes torch for the whole process.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "another"
aten = torch.ops.aten
TAKES_BOTH = frozenset(
    {
        aten.copy_.default,
        aten._to_copy.default,
        aten.index.Tensor,
        aten.index_put.default,
        aten.index_put_.default,
        aten._index_put_impl_.default,
    }
)
"""Operations between devices, on a GPU too."""
WRITES = frozenset({aten.copy_.default, aten.index_put_.default, aten._index_put_impl_.default})
"""Of these, the ones whose result is where their first argument is."""
DRAWS = frozenset({aten.normal_.default, aten.uniform_.default})
"""Operations that draw from the generator of the device, which is another one than the CPU's."""
MAKES = (
    "arange", "arange.start", "arange.start_step", "linspace", "eye", "eye.m", "randperm", "randperm.generator",
)  # fmt: skip
"""Operations without a tensor that torch composes of others, by a tensor that changes its size."""


OWN_GENERATOR = torch.Generator().manual_seed(1)


class OnDevice(Tensor):
    """A tensor on the device; `here` is the CPU's."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, here: Tensor) -> "OnDevice":
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=torch.device(NAME, 0),
        )
        made.here = here.detach()
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _computed(func, args, dict(kwargs or {}))

    def __getitem__(self, index: Any) -> Tensor:
        def places(each: Any) -> Any:
            return on_device(torch.tensor(each, dtype=torch.long)) if isinstance(each, list) else each

        return super().__getitem__(tuple(map(places, index)) if isinstance(index, tuple) else places(index))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.here.__reduce_ex__(protocol)

    def tolist(self) -> Any:
        return self.here.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError(f"can't convert {NAME}:0 device type tensor to numpy")

    def __array__(self, *given: Any, **named: Any) -> Any:
        return self.numpy()


def on_device(here: Tensor) -> Tensor:
    return here.to(torch.device(NAME))


def mapped(change: Callable[[Any], Any], given: Any) -> Any:
    """A value, or the values of nested lists, tuples and mappings, changed: torch's own walk takes half of a trial."""
    if isinstance(given, list | tuple):
        values = [mapped(change, each) for each in given]
        return type(given)(*values) if hasattr(given, "_fields") else type(given)(values)
    if isinstance(given, dict):
        return {name: mapped(change, each) for name, each in given.items()}
    return change(given)


def _computed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What the CPU makes of it, on the device where its tensors are there, or where it is asked for there."""
    mine: list[OnDevice] = []
    others: list[Tensor] = []

    def here(each: Any) -> Any:
        if isinstance(each, OnDevice):
            mine.append(each)
            return each.here
        if isinstance(each, Tensor):
            others.append(each)
        return torch.device("cpu") if isinstance(each, torch.device) else each

    plain_args = mapped(here, args)
    plain_kwargs = mapped(here, kwargs)
    if mine and any(each.dim() for each in others) and func not in TAKES_BOTH:
        places = f"{NAME}:0 and {others[0].device}"
        raise RuntimeError(f"Expected all tensors to be on the same device, but found {places}! ({func})")
    if func is aten._conj.default:  # below the operations that would resolve it
        parts = torch.view_as_real(args[0].here).clone()
        parts[..., 1].neg_()
        return OnDevice(torch.view_as_complex(parts))
    if func in DRAWS and mine and plain_kwargs.get("generator") is None:
        plain_kwargs["generator"] = OWN_GENERATOR
    made = func(*plain_args, **plain_kwargs)
    if torch.Tag.inplace_view in func.tags:
        with torch._C._DisableTorchDispatch():
            func(*args, **kwargs)
        return args[0]
    target = kwargs.get("device")
    there = bool(mine) if target is None else torch.device(target).type == NAME
    if func in WRITES:
        there = isinstance(args[0], OnDevice)
    written = {id(each.here): each for each in mine}
    return mapped(lambda each: _placed(each, written, there), made)


def _placed(made: Any, written: Mapping[int, OnDevice], there: bool) -> Any:
    if not isinstance(made, Tensor):
        return made
    if id(made) in written:
        return written[id(made)]
    return OnDevice(made) if there else made


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def _is_in_bad_fork(self) -> bool:
        return False


def install() -> list[torch.library.Library]:
    """Make the device known to torch; what is returned has to be kept."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    torch.__future__.set_swap_module_params_on_conversion(True)
    every, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    every.fallback(lambda func, *args, **kwargs: _computed(func, args, kwargs), "PrivateUse1")
    for name in MAKES:
        packet, _, overload = name.partition(".")
        some.impl(name, _making(getattr(getattr(aten, packet), overload or "default")), "PrivateUse1")
    _also_there()
    return [every, some]


def _making(func: Any) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        return _computed(func, args, {**kwargs, "device": torch.device(NAME)})

    return make


def _also_there() -> None:
    """What torch does for its own devices in C++: a generator, a tensor of numbers, and what a file holds."""
    generator, tensor, load = torch.Generator, torch.tensor, torch.load

    def plain(made: Any) -> Any:
        return made.here if isinstance(made, OnDevice) else made

    class Generator:  # torch's own modules have it in annotations
        def __new__(cls, device: Any = "cpu") -> Any:
            return generator()

    def tensor_of(data: Any, *, device: Any = None, **named: Any) -> Tensor:
        made = tensor(mapped(plain, data), **named)
        return made if device is None else made.to(device)

    def loaded(file: Any, map_location: Any = None, **named: Any) -> Any:
        def placed(made: Any) -> Any:
            return made.to(map_location) if isinstance(made, Tensor) and map_location is not None else made

        return mapped(placed, load(file, map_location="cpu", **named))

    torch.Generator, torch.tensor, torch.load = Generator, tensor_of, loaded  # type: ignore[assignment,misc]
