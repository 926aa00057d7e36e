"""What grows with a sweep: the driver over configurations, over a finite space, and over the epochs of a unit."""

from collections.abc import Iterator

from harness.bench.bookkeeping import EPOCHS, QUICK_EPOCHS, bench_driver_epochs, bench_worker_epochs
from harness.bench.driver import bench_driver, bench_finite
from harness.bench.measurement import Measurement
from harness.bench.sizes import QUICK_UNITS


def bench_scale(configurations: int, *, quick: bool) -> Iterator[Measurement]:
    """The driver with `configurations` of them, drawn at random and by TPE, without an end and all of a grid; and what an
    epoch costs beside training. Of a quick look less of each."""
    samplers = ("random",) if quick else ("random", "tpe")
    count, epochs = (QUICK_UNITS, QUICK_EPOCHS) if quick else (configurations, EPOCHS)
    for sampler in samplers:
        yield bench_driver(count, sampler)
    for sampler in samplers:
        yield bench_finite(count, sampler)
    yield bench_worker_epochs(epochs)
    yield bench_driver_epochs(epochs)
