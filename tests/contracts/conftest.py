"""The tiny data and units of tests.harness, for suites that need a real trial."""

from tests.harness.conftest import make_unit, one_thread, tiny_block, tiny_dataset, tiny_fold

__all__ = ["make_unit", "one_thread", "tiny_block", "tiny_dataset", "tiny_fold"]
