"""Which keys of a configuration were read: a view that answers as the configuration does and notes what it is asked."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, cast

from harness.config.blocks.block import Block
from harness.config.blocks.trial import ConfigurationBlock


class Reads:
    """The keys that were read of `config` through `view`, as dotted paths in `seen`.

    The view is for what acts on a configuration: its attributes are the configuration's, and `isinstance` says of a
    block what it says of the configuration's own. A value that is read is noted; a block on the way to it is not.
    Methods (`model_dump`, `canonical`, `id`, `model_copy`) are the configuration's own: they read everything, note
    nothing, and what they return is no view. So are copies and pickles of the view.
    """

    def __init__(self, config: ConfigurationBlock) -> None:
        self.config = config
        self.seen: set[str] = set()
        self.complete = True
        """False where an earlier process read keys as well and did not say which."""
        self.noting = True
        self.view = cast(ConfigurationBlock, _View(config, "", self))

    def note(self, path: str) -> None:
        if self.noting:
            self.seen.add(path)

    def resume(self, earlier: Iterable[str] | None) -> None:
        """Add what earlier processes read of the same configuration; None where that was not kept."""
        self.complete = self.complete and earlier is not None
        self.seen.update(earlier or ())

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Notes nothing inside: an inspection of the configuration is no use of it."""
        before, self.noting = self.noting, False
        try:
            yield
        finally:
            self.noting = before


class _View:
    """A block's attributes, noted as they are read."""

    __slots__ = ("_block", "_prefix", "_reads")

    def __init__(self, block: Block, prefix: str, reads: Reads) -> None:
        self._block, self._prefix, self._reads = block, prefix, reads

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._block, name)
        if name not in type(self._block).model_fields:
            return value
        path = self._prefix + name
        if isinstance(value, Block):
            return _View(value, path + ".", self._reads)
        self._reads.note(path)
        return value

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._block)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in type(self._block).model_fields)

    def __eq__(self, other: object) -> bool:
        return self._block == other

    def __hash__(self) -> int:
        return hash(self._block)

    def __repr__(self) -> str:
        return repr(self._block)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._block.__reduce_ex__(protocol)
