"""Sentences with places for names and numbers, and what they are in another language."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from analysis.errors import UserError, nearest

LANGUAGES = ("en", "zh")
_PLACE = re.compile(r"\{(\w+)([#*]?)\}")
_NUMBER = r"[-+±]?(?:\d[\d\s.,]*(?:e[-+]?\d+)?%?|inf|nan)"
_PART = re.compile(r"; (?![^()]*\))")
"""Between sentences that were put together, not in brackets: each is looked up by itself."""


class Catalogue:
    """English -> another language. A template may have places: `{name}` for words, which are looked up again by themselves,
    `{name*}` for several with commas between, each looked up, and `{name#}` for a number; the translation has each as
    `{name}`, in any order, or leaves it out.

    Of several templates that fit, the one with most letters of its own is taken. What fits none stays English.
    """

    def __init__(self, sentences: Mapping[str, str], separator: str = "; ", comma: str = ", ") -> None:
        self._exact = {english: text for english, text in sentences.items() if not _PLACE.search(english)}
        templates = [english for english in sentences if _PLACE.search(english)]
        templates.sort(key=lambda english: -len(_PLACE.sub("", english)))
        self._templates = [(_pattern(english), sentences[english], _lists(english)) for english in templates]
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
        """Whether some sentence of the catalogue is, or fits, the whole text."""
        return text in self._exact or any(pattern.fullmatch(text) for pattern, *_ in self._templates)

    def _said(self, text: str) -> str:
        if text in self._exact:
            return self._exact[text]
        parts = _PART.split(text)
        if len(parts) > 1:
            return self._separator.join(map(self, parts))
        for pattern, translation, lists in self._templates:
            fits = pattern.fullmatch(text)
            if fits:
                values = {
                    name: self._comma.join(map(self, value.split(", "))) if name in lists else self(value)
                    for name, value in fits.groupdict().items()
                }
                return translation.format(**values)
        return text


@cache
def catalogue(language: str) -> Catalogue | None:
    """The catalogue of a language; None for English, which needs none.

    Raises UserError for a language that there is not (nearest name).
    """
    if language not in LANGUAGES:
        raise UserError(
            f"--lang {language}: no such language{nearest(language, LANGUAGES)} (there are {', '.join(LANGUAGES)})"
        )
    if language == "en":
        return None
    file = Path(__file__).with_name(f"{language}.toml")
    sections = tomllib.loads(file.read_text(encoding="utf-8"))
    return Catalogue(
        {english: text for section in sections.values() for english, text in section.items()},
        "；",
        "、",
    )


def _lists(english: str) -> frozenset[str]:
    """Names of the places that hold several."""
    return frozenset(place[1] for place in _PLACE.finditer(english) if place[2] == "*")


def _pattern(english: str) -> re.Pattern[str]:
    """A template as a regular expression; a place that stands twice has to hold the same twice."""
    parts, at, seen = [], 0, set[str]()
    for place in _PLACE.finditer(english):
        name, number = place[1], place[2] == "#"
        parts.append(re.escape(english[at : place.start()]))
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{_NUMBER if number else '.+?'})")
        seen.add(name)
        at = place.end()
    return re.compile("".join([*parts, re.escape(english[at:])]), re.DOTALL)
