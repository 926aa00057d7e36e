"""Every sentence that a report says, by name, in one language: `text/<language>.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from analysis.language import catalogue

FOLDER = Path(__file__).parent / "text"
LANGUAGES = tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


@dataclass(frozen=True)
class Texts:
    """The sentences of a language; one that the file has not, or a value that a sentence wants and is not given, is a
    KeyError: nothing is left blank silently."""

    language: str
    sentences: Mapping[str, Any]

    def __call__(self, name: str, /, **values: object) -> str:
        """The sentence `section.name` with its `{values}` filled in; words of the program among them are translated."""
        sentence: Any = self.sentences
        for part in name.split("."):
            sentence = sentence[part]
        told = {key: self.said(value) if isinstance(value, str) else value for key, value in values.items()}
        return str(sentence).format(**told)

    def said(self, sentence: str) -> str:
        """A sentence that the program or a trial said in English, in this language."""
        words = catalogue(self.language)
        return words(sentence) if words else sentence

    def listed(self, names: Iterable[str]) -> str:
        """Names one after the other, each in this language where the program gave it."""
        return str(self.sentences["page"]["comma"]).join(map(self.said, names))

    def joined(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other, each in this language where the program gave it."""
        return str(self.sentences["page"]["semicolon"]).join(map(self.said, sentences))

    def count(self, noun: str, number: int) -> str:
        """`1 seed`, `3 seeds`; numbers of four digits and more are spaced."""
        forms = self.sentences["counts"][noun]
        return str(forms[0 if number == 1 else -1]).format(n=f"{number:,}".replace(",", " "))


@cache
def texts(language: str = "en") -> Texts:
    """The sentences of one of `LANGUAGES`."""
    loaded = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(language, loaded)
