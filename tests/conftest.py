"""The order of the suite, longest files first, so that workers end together; what its workers keep in memory, and that none
waits for a disk."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flushed import flushed

HERE = Path(__file__).parent
LONGEST = (
    "harness/test_sweep_survival.py",
    "crashes/test_crashes.py",
    "contracts/test_use.py",
    "harness/test_sweep_nodes.py",
    "sabotage/test_environment_and_training.py",
    "harness/test_bench.py",
    "sabotage/test_sequence_and_energy.py",
    "harness/test_warning_benchmark.py",
    "harness/test_another_device.py",
    "harness/test_audit_contracts.py",
    "harness/test_audit_states.py",
    "harness/test_audit_scores.py",
    "harness/test_sweep_sharing.py",
    "harness/test_audit.py",
    "harness/test_sweep_joining.py",
    "harness/test_trial_prefix.py",
    "harness/test_audit_places.py",
    "analysis/test_notebook.py",
    "harness/test_baselines.py",
    "harness/test_audit_real_steps.py",
    "harness/test_audit_sabotage.py",
    "sabotage/test_terms_together.py",
    "models/test_competition_demonstration.py",
)
"""Files of more than ten seconds, those with most to wait for first: while a sweep of theirs starts, others compute. Each
worker takes the next one, and what is short is left for the end."""


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_a_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", flushed)
        yield


def pytest_configure() -> None:
    """Outputs are as wide as in a pipe: a runner of several workers gives these the width of its own terminal."""
    os.environ.pop("COLUMNS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of LONGEST in its order, before all others, which stay in theirs."""
    place = {HERE / name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: no collection of garbage needs to walk through it."""
    gc.collect()
    gc.freeze()
