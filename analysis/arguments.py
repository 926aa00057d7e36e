"""Parsers of command lines whose mistakes are one sentence, as all others are."""

import argparse
import difflib
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, NoReturn

from analysis.errors import UserError, nearest, shorten
from analysis.help_text import WrappedHelp

CLOSE = 0.6
"""Likeness above which a name may have been meant."""
Settings = Callable[[], Iterable[str]]
"""The dotted paths that `--set PATH=VALUE` takes, asked for when something has to be explained."""


class SentenceParser(argparse.ArgumentParser):
    """A parser whose mistakes are one sentence with the nearest valid name: UserError in place of usage lines and an exit.

    Its help is as wide as the terminal, and no option may be cut short. `settings`: what `--set` takes, where there is such
    an option; one of them that is written as an option is told how it is set.
    """

    def __init__(self, *arguments: Any, settings: Settings | None = None, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": WrappedHelp, "allow_abbrev": False, **options})
        self.settings = settings
        self._commands = False

    def add_subparsers(self, **options: Any) -> Any:
        self._commands = True
        return super().add_subparsers(**options)

    def parse_known_args(
        self, args: Iterable[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse's, and nothing stays unknown."""
        words = [*(sys.argv[1:] if args is None else args)]
        for at, word in enumerate(words):
            if word == "--" or (self._commands and not word.startswith("-")):
                break
            name = word.partition("=")[0]
            # A word with a space in it is no option to argparse.
            if name.startswith("--") and " " not in word and name not in self._option_string_actions:
                raise UserError(self._no_option(name, words[at:]))
        parsed, rest = super().parse_known_args(words, namespace)
        if rest:
            raise UserError(self._left_over(rest[0]))
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({self._help})")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        valid = [str(choice) for choice in action.choices]
        name = "/".join(action.option_strings)
        if not name:
            name = action.metavar if isinstance(action.metavar, str) else action.dest
        name = "COMMAND" if name == argparse.SUPPRESS else name
        hint = nearest(str(value), valid)
        raise UserError(f"{name} '{shorten(str(value))}': expected one of {', '.join(valid)}{hint}")

    @property
    def _help(self) -> str:
        return f"{self.prog} --help says what it takes"

    def _no_option(self, name: str, words: list[str]) -> str:
        """What is said of an unknown option, which `words` begin with."""
        value = words[0].partition("=")[2] or next(iter(words[1:]), "")
        hint = self._meant(name, "VALUE" if not value or value.startswith("-") else value)
        return f"{self.prog} has no option {shorten(name)}{hint or f' ({self._help})'}"

    def _meant(self, name: str, value: str) -> str:
        """The option that is meant by one that there is not, or how a key that is written as an option is set."""
        word = name.lstrip("-").replace("-", "_")
        options = {option.lstrip("-").replace("-", "_"): option for option in self._option_string_actions}
        longer = [known for known in options if known.startswith(f"{word}_")]
        by_key: dict[str, list[str]] = {}
        for path in self.settings() if self.settings else ():
            for key in {path, path.rpartition(".")[2]}:
                by_key.setdefault(key, []).append(path)
        exact = [*by_key.get(f"{word}s", ()), *by_key.get(word, ())]
        close = longer or difflib.get_close_matches(word, [*options, *by_key], n=1, cutoff=CLOSE)
        if close and close[0] in options and word not in by_key:
            return f"; did you mean '{options[close[0]]}'?"
        paths = exact or (by_key[close[0]] if close else [])
        if len(paths) > 2:
            return f"; did you mean --set with one of {', '.join(paths[:3])}{', ...' * (len(paths) > 3)}?"
        ways = " or ".join(f"'--set {path}={value}'" for path in paths)
        return f"; did you mean {ways}?" if paths else ""

    def _left_over(self, word: str) -> str:
        path, equals, value = word.partition("=")
        if equals and self.settings and path in set(self.settings()):
            return f"'{shorten(word)}': did you mean '--set {path}={value}'?"
        if word.startswith("-"):
            return self._no_option(word.partition("=")[0], [word])
        return f"'{shorten(word)}' is one argument too many ({self._help})"


def command_parser(
    prog: str,
    description: str,
    epilog: str = "",
    *,
    settings: Settings | None = None,
    usage: str | None = None,
) -> SentenceParser:
    """The parser of a command; its texts keep their tables and examples."""
    return SentenceParser(prog=prog, description=description, epilog=epilog, settings=settings, usage=usage)


def refuse_misspelt(word: str, commands: Collection[str]) -> None:
    """UserError for the first word of a command line that is no option, nothing that is there, and almost a command."""
    if word in commands or word.startswith("-") or Path(word).exists():
        return
    hint = nearest(word, commands)
    if hint and len(Path(word).parts) == 1:
        raise UserError(f"'{shorten(word)}' is no command and no run{hint}")
