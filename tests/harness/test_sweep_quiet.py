"""What Ray says while a sweep runs is in a file, and not between the lines that people read."""

import logging
import sys
from pathlib import Path

import pytest
import ray

from harness.sweep.tuning import quietly


def test_what_ray_logs_and_prints_goes_to_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ray.__version__
    logger = logging.getLogger("ray")
    streams = [handler.stream for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    assert streams, "Ray logs to a stream of its own"
    log = tmp_path / "run" / "driver.log"
    with quietly(log):
        logging.getLogger("ray.tune.execution").error("a snapshot failed")
        print("printed", file=sys.stderr)
    assert "a snapshot failed" in log.read_text(encoding="utf-8")
    assert "printed" in log.read_text(encoding="utf-8")
    assert capfd.readouterr() == ("", "")
    again = [handler.stream for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    assert again == streams
