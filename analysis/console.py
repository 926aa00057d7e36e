"""The one place where consoles are made."""

from rich.console import Console


def plain_console(width: int = 100) -> Console:
    """A console as wide as the terminal, and of `width` columns where there is none (a pipe, a log).

    It takes every text as it is: square brackets are no markup, `:word:` is no picture, and numbers have no colours of
    their own. What is to stand out is given a style.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        return console
    return Console(markup=False, emoji=False, highlight=False, width=width)
