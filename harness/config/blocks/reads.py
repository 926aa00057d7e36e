"""Which keys of a configuration were read: a view that answers as the configuration does and notes what it is asked."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast, overload

from harness.config.blocks.block import Block
from harness.config.blocks.paths import flatten
from harness.config.blocks.trial import ConfigurationBlock

MEMBER = ": "
"""Between the path of a list and the member that it was asked for."""


class Reads:
    """The keys that were read of `config` through `view`, as dotted paths in `seen`.

    The view is for what acts on a configuration: its attributes are the configuration's, and `isinstance` says of a
    block what it says of the configuration's own. A value that is read is noted; a block on the way to it is not.
    Methods (`model_dump`, `canonical`, `id`, `model_copy`) are the configuration's own: they read everything, note
    nothing, and what they return is no view. So are copies and pickles of the view.

    `early` is what phase 1 of the curriculum read: what was asked of the view `first`, or of `plain` (the configuration as
    nested data, for what is built of it), what anybody asked `in_phase1`, and how long it is. Dotted paths, and
    `PATH: MEMBER` of a list that was only asked whether it has a member. Whoever asks a block there for anything but a key
    (a method, a property, equality, a copy) may have read any key of it: all of them are noted.
    """

    def __init__(self, config: ConfigurationBlock) -> None:
        self.config = config
        self.seen: set[str] = set()
        self.early: set[str] = {"curriculum.phase1_epochs"}
        self.complete = True
        """False where an earlier process read keys as well and did not say which."""
        self.noting, self._early = True, False
        self.view = cast(ConfigurationBlock, _View(config, "", self, early=False))
        self.first = cast(ConfigurationBlock, _View(config, "", self, early=True))
        self.plain: Mapping[str, Any] = _Plain(config.model_dump(), "", self.early)

    def note(self, path: str, *, early: bool) -> None:
        if self.noting:
            self.seen.add(path)
            if early or self._early:
                self.early.add(path)

    def note_block(self, block: Block, prefix: str, *, early: bool) -> None:
        """Phase 1, where it is the one that asks, may have read any key of a block."""
        if early or self._early:
            for path in _keys(block.model_dump(), prefix):
                self.note(path, early=True)

    @contextlib.contextmanager
    def in_phase1(self) -> Iterator[None]:
        """Whatever is read inside, phase 1 reads."""
        before, self._early = self._early, True
        try:
            yield
        finally:
            self._early = before

    def all_in_phase1(self) -> None:
        """Phase 1 may have read any key."""
        self.early.update(flatten(self.config.canonical()))

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


def _keys(content: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Dotted paths of every key of nested plain data."""
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


class _View:
    """A block's attributes, noted as they are read."""

    __slots__ = ("_block", "_early", "_prefix", "_reads")

    def __init__(self, block: Block, prefix: str, reads: Reads, *, early: bool) -> None:
        self._block, self._prefix, self._reads, self._early = block, prefix, reads, early

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._block, name)
        if name not in type(self._block).model_fields:
            return self._whole(value)
        path = self._prefix + name
        if isinstance(value, Block):
            return _View(value, path + ".", self._reads, early=self._early)
        self._reads.note(path, early=self._early)
        return value

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._block)

    def _whole(self, value: Any) -> Any:
        """A value that any key of the block may have gone into."""
        self._reads.note_block(self._block, self._prefix, early=self._early)
        return value

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in type(self._block).model_fields)

    def __eq__(self, other: object) -> bool:
        return bool(self._whole(self._block == other))

    def __hash__(self) -> int:
        return int(self._whole(hash(self._block)))

    def __repr__(self) -> str:
        return str(self._whole(repr(self._block)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._whole(self._block.__reduce_ex__(protocol))


class _Plain(Mapping[str, Any]):
    """Nested plain data, noted as they are read; a block on the way is not. Who walks through a block reads all of it, and
    so does who copies it: a copy is plain data that notes nothing."""

    def __init__(self, block: Mapping[str, Any], prefix: str, noted: set[str]) -> None:
        self._block, self._prefix, self._noted = block, prefix, noted

    def __getitem__(self, name: str) -> Any:
        path = self._prefix + name
        value = self._block.get(name)
        if isinstance(value, Mapping) and value:
            return _Plain(value, path + ".", self._noted)
        if isinstance(value, list):
            return _Members(value, path, self._noted)
        self._noted.add(path)
        return self._block[name]

    def __contains__(self, name: object) -> bool:
        self._noted.add(f"{self._prefix}{name}")
        return name in self._block

    def __iter__(self) -> Iterator[str]:
        return iter(self._block)

    def __len__(self) -> int:
        return len(self._block)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._noted.update(_keys(self._block, self._prefix))
        return dict, (self._block,)


class _Members(Sequence[Any]):
    """A list of plain data: whether it has a member is one question, anything else reads the whole list."""

    def __init__(self, members: Sequence[Any], path: str, noted: set[str]) -> None:
        self._members, self._path, self._noted = members, path, noted

    def __contains__(self, member: object) -> bool:
        self._noted.add(f"{self._path}{MEMBER}{member}")
        return member in self._members

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        self._noted.add(self._path)
        return self._members[index]

    def __len__(self) -> int:
        self._noted.add(self._path)
        return len(self._members)


def answers(config: ConfigurationBlock, questions: Iterable[str]) -> dict[str, Any]:
    """What a configuration answers to questions as `Reads.early` has them, as plain data; None for a path that it lacks."""
    content, said = config.canonical(), {}
    for question in sorted(questions):
        path, asked, member = question.partition(MEMBER)
        value: Any = content
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        said[question] = member in (value or ()) if asked else value
    return said
