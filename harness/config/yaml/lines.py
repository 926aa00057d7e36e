"""YAML as plain values plus the line of every dotted path, so that a mistake can be named by its line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from analysis.errors import UserError
from analysis.nearest_path import nearest_path
from harness.config.yaml.limits import check_limits


@dataclass(frozen=True)
class Document:
    """A mapping read from YAML.

    `data` holds plain Python values, `lines` the 1-based line of each dotted path (keys and list positions joined
    by dots, so that `set: {a: {b: 1}}` and `set: {a.b: 1}` are the same path), `text` the source as read.
    """

    file: Path
    data: dict[str, Any]
    lines: dict[str, int] = field(repr=False)
    text: str = field(repr=False)

    def line(self, path: str) -> int:
        """Line of `path`, or of the closest enclosing key that is in the file; 1 when none is."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return 1

    def where(self, path: str) -> str:
        """`file:line` of `path`."""
        return f"{self.file}:{self.line(path)}"


def read_yaml(file: Path, *, also: Iterable[Path] = ()) -> Document:
    """Read one YAML mapping (YAML 1.2: `yes` and `no` are words, not truth values); `also`: files that may be meant where
    it is missing.

    Raises
    ------
    UserError
        when the file is missing, unreadable, not UTF-8, empty, not YAML, not a mapping, has a key twice or a
        key that is not a word; the sentence names the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file{nearest_path(file, also=also)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from None
    return parse_yaml(text, file)


def parse_yaml(text: str, file: Path) -> Document:
    """`read_yaml` for text already at hand; `file` is only named in errors."""
    yaml = YAML(typ="rt", pure=True)
    try:
        check_limits(text, file)
        tree = yaml.load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else "a key"
        raise UserError(f"{file}:{_line(error)}: '{key}' is given twice in the same block") from None
    except MarkedYAMLError as error:
        problem = str(error.problem or error.context or "syntax error").strip()
        raise UserError(f"{file}:{_line(error)}: this is not YAML ({problem})") from None
    except (YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: this is not YAML ({reason})") from None
    if tree is None:
        raise UserError(f"{file}: the file is empty; expected a mapping such as 'name: my-sweep'")
    if not isinstance(tree, CommentedMap):
        raise UserError(f"{file}:1: expected a mapping of keys to values, found {_kind(tree)}")
    lines: dict[str, int] = {}
    data = _plain(tree, "", lines, file)
    return Document(file=file, data=data, lines=lines, text=text)


def parse_scalar(text: str) -> Any:
    """The value that YAML reads in `text` (numbers, true/false, null, words, [lists]).

    Raises
    ------
    ValueError
        when the text is not one YAML value.
    """
    try:
        check_limits(text, Path("value"))
        return _plain(YAML(typ="rt", pure=True).load(text), "", {}, Path("value"))
    except MarkedYAMLError as error:
        raise ValueError(str(error.problem or error.context)) from None
    except (YAMLError, UserError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def _line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return 1 if mark is None else int(mark.line) + 1


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return f"{value!r}"


def _plain(node: Any, path: str, lines: dict[str, int], file: Path) -> Any:
    if isinstance(node, CommentedMap):
        plain: dict[str, Any] = {}
        for key in node:
            line = node.lc.key(key)[0] + 1 if key in (node.lc.data or {}) else lines.get(path, 1)
            if not isinstance(key, str):
                raise UserError(f"{file}:{line}: a key must be a word, found {key!r}")
            inner = f"{path}.{key}" if path else str(key)
            lines[inner] = line
            plain[str(key)] = _plain(node[key], inner, lines, file)
        return plain
    if isinstance(node, CommentedSeq):
        items = []
        for position, item in enumerate(node):
            known = position in (node.lc.data or {})
            inner = f"{path}.{position}"
            lines[inner] = node.lc.item(position)[0] + 1 if known else lines.get(path, 1)
            items.append(_plain(item, inner, lines, file))
        return items
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    if type(node).__name__ == "ScalarBoolean":
        return bool(node)
    return str(node)
