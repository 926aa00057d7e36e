"""When a sweep ends early, and what it refuses before it begins."""

import copy
import os
import pickle
import signal
import time
from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.sweep.search.impossible import refuse_impossible
from harness.sweep.show.ending import Ending

YAML = """
name: small
base: minimal
data: {{synthetic: {{form: gated}}}}
design: {design}
space:
  support.size: {size}
  episode.query: {{{kind}: [8, 16]}}
"""


def _refuse(
    folder: Path, dataset: EncodedDataset, fold: Fold, size: str, design: str = "search", kind: str = "choice"
) -> None:
    file = folder / "small.yaml"
    file.write_text(YAML.format(design=design, size=size, kind=kind))
    refuse_impossible(load_sweep(file), dataset, [fold], gpu=False)


def test_one_impossible_configuration_of_a_grid_is_refused(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    _refuse(tmp_path, tiny_dataset, tiny_fold, "{grid: [4, 8]}", "grid", "grid")
    with pytest.raises(UserError, match=r"small.yaml: fold0: cell line .*drawn: support.size: 900"):
        _refuse(tmp_path, tiny_dataset, tiny_fold, "{grid: [4, 900]}", "grid", "grid")


def test_one_impossible_choice_of_a_small_space_is_refused(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"lower support\.size or episode\.query"):
        _refuse(tmp_path, tiny_dataset, tiny_fold, "{choice: [4, 900]}")


def test_large_space_is_refused_only_when_nothing_can_run(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    _refuse(tmp_path, tiny_dataset, tiny_fold, "{int: [4, 900]}")
    with pytest.raises(UserError, match=r"lower support\.size or episode\.query"):
        _refuse(tmp_path, tiny_dataset, tiny_fold, "{int: [300, 900]}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_ends_the_trials_and_the_second_kills(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sweep.show.ending.ECHO", 0.1)
    said: list[str] = []
    before = signal.getsignal(number)
    heard: list[int] = []
    signal.signal(number, lambda given, frame: heard.append(given))
    try:
        ending = Ending(None, said.append)
        with ending.listening():
            assert not ending.stop_all()
            os.kill(os.getpid(), number)
            assert ending.stop_all()
            assert heard == []
            os.kill(os.getpid(), number)
            assert heard == [], "an echo of the first"
            time.sleep(0.15)
            os.kill(os.getpid(), number)
            assert heard == [number]
        os.kill(os.getpid(), number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)
    assert len(said) == 1
    assert "finished epochs are kept" in said[0]


def test_the_time_is_up_once() -> None:
    said: list[str] = []
    ending = Ending(0.05, said.append)
    assert not ending.due
    time.sleep(0.06)
    assert ending.due
    assert ending.stop_all()
    assert len(said) == 1
    assert not Ending(None, said.append).due


def test_tunes_copies_are_the_one_that_hears_the_signal() -> None:
    ending = Ending(None, print)
    assert copy.deepcopy(ending) is ending
    assert isinstance(pickle.loads(pickle.dumps(ending)), Ending)
