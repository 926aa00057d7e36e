"""Sentences with places for names and numbers, and what they are in another language."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path

from analysis.errors import UserError, nearest

LANGUAGES = ("en", "zh")
PLACE = re.compile(r"\{(\w+)([#*!=]?)\}")
_NUMBER = r"[-+±]?(?:\d[\d\s.,]*(?:e[-+]?\d+)?%?|inf|nan)"
_NAME = r"[^\s,;:()]+"
_HOLDS = {"#": _NUMBER, "!": _NAME}
LOOKED_UP = ("", "*")
"""Kinds of places whose words are looked up; a space stands between Chinese and what stays Latin there (`_EDGE`)."""
_EDGE = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9(|-]|[A-Za-z0-9)|%][\u4e00-\u9fff]")
_PART = re.compile(r"; (?![^()]*\))")
"""Between sentences that were put together, not in brackets: each is looked up by itself."""


class Catalogue:
    """English -> another language. A template may have places: `{name}` for words, which are looked up again by themselves,
    `{name*}` for several with commas between, each looked up, `{name!}` for one word without punctuation and `{name=}` for
    anything, which both stay as they are, and `{name#}` for a number; the translation has each as `{name}`, in any order,
    or leaves it out.

    Of several templates that fit, the one with most letters of its own is taken. What fits none stays English.
    """

    def __init__(self, sentences: Mapping[str, str], separator: str = "; ", comma: str = ", ") -> None:
        self._exact = {english: text for english, text in sentences.items() if not PLACE.search(english)}
        templates = [english for english in sentences if PLACE.search(english)]
        templates.sort(key=lambda english: -len(PLACE.sub("", english)))
        self._templates = [_Template(english, sentences[english]) for english in templates]
        self._separator, self._comma = separator, comma
        self._cached = lru_cache(maxsize=4096)(self._said)

    def __call__(self, text: str) -> str:
        """`text` in the other language; spaces and line breaks around it stay."""
        core = text.strip()
        if not core:
            return text
        lead = text[: len(text) - len(text.lstrip())]
        return lead + self._cached(core) + text[len(text.rstrip()) :]

    def knows(self, text: str) -> bool:
        """Whether some sentence of the catalogue is, or fits, the whole text. One that begins with a place for any words
        does not count, as it fits whatever stands before it."""
        return text in self._exact or any(each.fits(text) for each in self._templates if each.begins)

    def _said(self, text: str) -> str:
        if text in self._exact:
            return self._exact[text]
        parts = _PART.split(text)
        if len(parts) > 1:
            return self._separator.join(map(self, parts))
        for template in self._templates:
            fits = template.fits(text)
            if fits:
                kinds = template.kinds
                return template.said(
                    {name: self._placed(value, kinds[name]) for name, value in fits.groupdict().items()}
                )
        return text

    def _placed(self, value: str, kind: str) -> str:
        """What stands in a place of that kind."""
        if kind == "*":
            return self._comma.join(map(self, value.split(", ")))
        return self(value) if kind == "" else value


class _Template:
    """A sentence with places, and its translation; `kinds`: what each place holds; `begins`: whether it begins with words
    of its own, a number or a name. Its expression is made when a text has the longest of the words between the places,
    which most texts have not."""

    def __init__(self, english: str, translation: str) -> None:
        self.english, self._parts = english, PLACE.split(translation)
        self.kinds = {place[1]: place[2] for place in PLACE.finditer(english)}
        first = PLACE.match(english)
        self.begins = first is None or first[2] in ("#", "!")
        self._words = max(PLACE.sub("\0", english).split("\0"), key=len)

    def fits(self, text: str) -> re.Match[str] | None:
        """Where the places lie, if the whole text is such a sentence."""
        return self._pattern.fullmatch(text) if self._words in text else None

    def said(self, values: Mapping[str, str]) -> str:
        """The translation with its places filled."""
        text = self._parts[0]
        for name, after in zip(self._parts[1::3], self._parts[3::3], strict=True):
            for part in (values[name], after):
                apart = self.kinds[name] in LOOKED_UP and _EDGE.fullmatch(text[-1:] + part[:1])
                text += f" {part}" if apart else part
        return text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A place that stands twice has to hold the same twice."""
        parts, at, seen, english = [], 0, set[str](), self.english
        for place in PLACE.finditer(english):
            name, kind = place[1], place[2]
            parts.append(re.escape(english[at : place.start()]))
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{_HOLDS.get(kind, '.+?')})")
            seen.add(name)
            at = place.end()
        return re.compile("".join([*parts, re.escape(english[at:])]), re.DOTALL)


@cache
def catalogue(language: str, beside: Path | None = None) -> Catalogue | None:
    """The catalogue of a language; None for English, which needs none. `beside`: a folder with a file of its own for the
    language, whose sentences count before these.

    Raises UserError for a language that there is not (nearest name).
    """
    if language not in LANGUAGES:
        raise UserError(
            f"--lang {language}: no such language{nearest(language, LANGUAGES)} (there are {', '.join(LANGUAGES)})"
        )
    if language == "en":
        return None
    folders = (Path(__file__).parent, *([] if beside is None else [beside]))
    return Catalogue({k: v for each in folders for k, v in _sentences(each, language).items()}, "；", "、")


def _sentences(folder: Path, language: str) -> dict[str, str]:
    sections = tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
    return {english: text for section in sections.values() for english, text in section.items()}


@contextmanager
def in_language(language: str, beside: Path | None = None) -> Iterator[None]:
    """Raise a UserError of what is done inside in a language, as far as its catalogue has the sentence."""
    words = catalogue(language, beside)
    try:
        yield
    except UserError as error:
        said = words(str(error)) if words else str(error)
        if words and said != str(error):
            raise _labelled(said, words(UserError.label.strip())) from error
        raise


def _labelled(sentence: str, label: str) -> UserError:
    error = UserError(sentence)
    error.label = label
    return error
