"""A command line run in this process, as `python -m` runs it, where no process of its own is what is tested."""

import io
import runpy
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How it ended and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def command(module: str, *arguments: object, encoding: str = "utf-8") -> Ended:
    """Run the `__main__` of a package with these arguments, from first line to exit, on a terminal of this encoding.

    It costs no interpreter and no import of torch. What a command leaves in a process stays here: torch has one thread,
    as in all tests, and what the files of `use` register is registered.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    file = ROOT.joinpath(*module.split("."), "__main__.py")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [str(file), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(file), run_name="__main__")
    code = ended.value.code
    assert isinstance(code, int)
    return Ended(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))
