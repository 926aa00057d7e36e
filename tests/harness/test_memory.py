"""What a process of a trial does with its memory and its waiting threads."""

import os
import platform
import resource

import pytest
import torch

from harness.trial.memory import keep_freed_memory

NUMBERS, TENSORS = 2**20, 24


def faults_of_tensors() -> int:
    """Pages that the system hands out while 24 float32 tensors of 4 MiB are made, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.empty(NUMBERS).fill_(1.0) for _ in range(TENSORS)]
    del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap is told to keep memory")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    keep_freed_memory()
    pages = 4 * NUMBERS * TENSORS // resource.getpagesize()
    assert min(faults_of_tensors() for _ in range(4)) < pages / 10


def test_waiting_threads_sleep_unless_asked_otherwise() -> None:
    assert os.environ["OMP_WAIT_POLICY"]
