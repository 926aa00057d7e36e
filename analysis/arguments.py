"""Parsers of command lines whose mistakes are one sentence, as all others are."""

import argparse
from typing import NoReturn

from analysis.errors import UserError


class SentenceParser(argparse.ArgumentParser):
    """A parser whose mistakes are one sentence: UserError in place of usage lines and an exit."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({self.prog} --help says what it takes)")


def command_parser(prog: str, description: str, epilog: str = "") -> SentenceParser:
    """The parser of a command: its texts stand as they are written, and no option may be cut short."""
    return SentenceParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
