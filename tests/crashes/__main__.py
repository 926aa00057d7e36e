"""Crash the scenarios, and print a line of JSON for each; `--every`: also where a crash leaves but another draft."""

import gc
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch

from tests.crashes.crash import crash
from tests.crashes.scenarios import named
from tests.flushed import flushed


def main() -> int:
    torch.set_num_threads(1)
    os.fsync = flushed  # a kill leaves what the kernel has
    gc.freeze()  # what is loaded is not walked through in each process that parts from this one
    ended = 0
    with tempfile.TemporaryDirectory(prefix="crashes-") as folder:
        names = [word for word in sys.argv[1:] if word != "--every"]
        for number, (name, scenario) in enumerate(named(names).items()):
            began = time.monotonic()
            place, processes = Path(folder) / str(number), min(2, os.cpu_count() or 1)
            crashed = crash(scenario, place, processes, every="--every" in sys.argv)
            said = {"scenario": name, "seconds": round(time.monotonic() - began, 1), **asdict(crashed)}
            print(json.dumps(said), flush=True)
            ended |= bool(crashed.wrong or crashed.unseen)
    return ended


if __name__ == "__main__":
    sys.exit(main())
