"""Encoded data for the nodes of a cluster that do not see the driver's: sent to each once, through Ray's object store."""

import socket
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analysis.errors import UserError
from analysis.schema import SHIPPED
from harness.data.copying import Files, copy_here, read_files
from harness.store.storage import StoreUnwritable
from harness.store.writer import RunWriter
from harness.sweep.cluster.causes import first_line

SHORT = 12
"""Characters of Ray's name of a node that tell it from every other."""


@dataclass(frozen=True)
class Shipping:
    """From where data are sent, the driver's `node` by Ray's name of it, and the `run` that keeps a record of it."""

    node: str
    run: Path

    def bring(self, view: Path) -> str | None:
        """Make the encoded dataset at `view`, as the driver sees it, readable on this node; a sentence when it was sent.

        A node that sees the driver's folder (its own, or a shared one), or was sent it before, is sent nothing. Of the
        node's processes one receives it, from then on all map the same files. RUN/shipped has a record of each time.

        Raises
        ------
        StoreUnwritable
            where this node cannot take it: nothing is wrong with what was to run.
        """
        import ray

        began = time.perf_counter()
        try:
            written = copy_here(view, lambda: self._fetch(view))
        except UserError as error:
            raise StoreUnwritable(f"node {socket.gethostname()}: {error}") from None
        if written is None:
            return None
        here, seconds = ray.get_runtime_context().get_node_id(), time.perf_counter() - began
        record = {
            "node": here,
            "host": socket.gethostname(),
            "data": view.parent.name,
            "windows": view.name,
            "bytes": written,
            "seconds": round(seconds, 3),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        name = "-".join((here[:SHORT], view.parent.name, view.name, uuid.uuid4().hex[:8]))
        RunWriter(self.run).write_json(f"{SHIPPED}/{name}.json", record)
        return (
            f"node {here[:SHORT]} ({socket.gethostname()}) was sent the encoded data: {written / 1e6:.3g} MB in "
            f"{seconds:.1f} s"
        )

    def _fetch(self, view: Path) -> dict[str, Files]:
        """The files, from a task on the driver's node that reserves nothing; UserError where they do not come."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = ray.remote(num_cpus=0)(read_files).options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(self.node, soft=False)
        )
        try:
            contents: dict[str, Files] = ray.get(task.remote(view))
        except ray.exceptions.RayError as error:
            cause = first_line(str(getattr(error, "cause", None) or error))
            raise UserError(f"{view} could not be fetched from the driver's node ({cause})") from None
        return contents
