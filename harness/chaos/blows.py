"""The catalogue of blows."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil

from harness.chaos.beside import InItsFolder, InItsNamespace, UnderAnotherUser
from harness.chaos.blow import Blow
from harness.chaos.snapshot import Snapshot
from harness.chaos.stage import FLAG
from harness.chaos.sweep_process import SweepProcess, send, title

KILLED = frozenset({-signal.SIGKILL})
PATIENCE = 30.0
"""Seconds to wait for something that is to be broken."""
DISK = 96
"""MiB of the small disk."""


def _chosen(blow: Blow, processes: list[psutil.Process]) -> psutil.Process | None:
    """One of the processes, in an order that the seed decides as far as it can."""
    return blow.random.choice(sorted(processes, key=lambda each: each.pid)) if processes else None


def _worker(blow: Blow, sweep: SweepProcess) -> psutil.Process | None:
    sweep.until(sweep.workers, PATIENCE)
    return _chosen(blow, sweep.workers())


class WorkerKilled(Blow):
    """SIGKILL of a worker that trains."""

    key, meaning = "worker", "a worker is killed: Ray starts it again"
    statuses = frozenset({0})

    def strike(self, sweep: SweepProcess) -> str | None:
        worker = _worker(self, sweep)
        return "kill -9 of a worker" if worker is not None and send(worker, signal.SIGKILL) else None


class DriverKilled(Blow):
    """SIGKILL of the driver, from its first instant on."""

    key, meaning = "driver", "the driver is killed at any moment from its start to its end"
    in_training = False
    statuses = KILLED

    def strike(self, sweep: SweepProcess) -> str | None:
        sweep.process.kill()
        return "kill -9 of the driver"


class RayletKilled(Blow):
    """SIGKILL of the node's raylet, and so of all workers."""

    key, meaning = "raylet", "the raylet is killed: the whole node is lost to Ray, the driver is on it"
    statuses = frozenset({0, 1, 2, 3, -signal.SIGABRT, -signal.SIGTERM, -signal.SIGKILL})
    in_its_own_words = True

    def strike(self, sweep: SweepProcess) -> str | None:
        raylet = _chosen(self, sweep.of_ray("raylet"))
        return "kill -9 of the raylet" if raylet is not None and send(raylet, signal.SIGKILL) else None


class HeadKilled(Blow):
    """SIGKILL of the GCS, Ray's head."""

    key, meaning = (
        "gcs",
        "the GCS is killed: Ray looks for it for 10 s (60 by default), and ends the sweep in its own words",
    )
    statuses = RayletKilled.statuses
    in_its_own_words = True

    def strike(self, sweep: SweepProcess) -> str | None:
        head = _chosen(self, sweep.of_ray("gcs_server"))
        return "kill -9 of the GCS" if head is not None and send(head, signal.SIGKILL) else None


class NodeKilled(Blow):
    """SIGKILL of everything on the second of two nodes."""

    key, meaning = "node", "one node of two dies with all that runs on it"
    statuses = frozenset({0})
    nodes = 2

    def strike(self, sweep: SweepProcess) -> str | None:
        processes = self.place.second()
        trained = sum(".train" in title(process) for process in processes)
        killed = [process for process in processes if send(process, signal.SIGKILL)]
        return f"kill -9 of a node ({len(killed)} processes, {trained} training)" if killed else None


class DiskFilled(Blow):
    """The disk of the run is full, and then has room again; where nothing can be mounted, no file may grow."""

    key, meaning = "disk", "the disk under the run folder is full; room is made before it goes on"
    statuses = frozenset({2})
    mounted = False

    @classmethod
    def ends_well(cls, status: int, printed: str) -> bool:
        """Also well, where every row was written before it came, and what is made of them was said not to be written."""
        return super().ends_well(status, printed) or (status == 0 and "not written" in printed)

    def prepare(self) -> None:
        self.run.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(self.run)]
        self.mounted = (
            shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
        )

    def strike(self, sweep: SweepProcess) -> str | None:
        if self.mounted:
            try:
                with (self.run / ".filler").open("wb", buffering=0) as filler:
                    while True:
                        filler.write(bytes(4096))
            except OSError:
                return f"a tmpfs of {DISK} MiB is filled to the last page"
        for process in [psutil.Process(sweep.process.pid), *sweep.workers()]:
            process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
        return "no tmpfs may be mounted here: no file of driver and workers may grow (RLIMIT_FSIZE)"

    def clear(self) -> None:
        (self.run / ".filler").unlink(missing_ok=True)

    def end(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.run)], check=True)


class Terminated(Blow):
    """SIGTERM to the driver."""

    key, meaning = "sigterm", "the driver is asked to end (SIGTERM)"
    in_training = False
    statuses = frozenset({0, 3, -signal.SIGTERM})

    def strike(self, sweep: SweepProcess) -> str | None:
        sweep.process.terminate()
        return "SIGTERM to the driver"


class HungUp(Blow):
    """SIGHUP to the driver, as from a terminal that is closed."""

    key, meaning = "sighup", "the driver's terminal is closed (SIGHUP)"
    in_training = False
    statuses = frozenset({0, 3, -signal.SIGHUP})

    def strike(self, sweep: SweepProcess) -> str | None:
        sweep.process.send_signal(signal.SIGHUP)
        return "SIGHUP to the driver"


class Stopped(Blow):
    """SIGSTOP of driver, worker, raylet or GCS for some seconds."""

    key, meaning = (
        "sigstop",
        "driver, worker, raylet or GCS stands still for up to eight seconds (SIGSTOP, SIGCONT)",
    )
    statuses = frozenset({0})

    def strike(self, sweep: SweepProcess) -> str | None:
        name = self.random.choice(("driver", "worker", "raylet", "gcs_server"))
        if name == "driver":
            victim: psutil.Process | None = psutil.Process(sweep.process.pid)
        else:
            victim = _worker(self, sweep) if name == "worker" else _chosen(self, sweep.of_ray(name))
        if victim is None or not send(victim, signal.SIGSTOP):
            return None
        seconds = self.random.uniform(1.0, 8.0)
        time.sleep(seconds)
        send(victim, signal.SIGCONT)
        return f"{name} stopped for {seconds:.1f} s"


class CheckpointBroken(Blow):
    """A checkpoint is cut or has one bit changed while no driver is there."""

    key, meaning = "checkpoint", "the driver is killed, and a checkpoint is cut or has one bit changed"
    statuses = KILLED
    one_epoch = False

    def strike(self, sweep: SweepProcess) -> str | None:
        statuses = Snapshot.of(self.run).statuses
        running = {"-".join(map(str, unit)) for unit, status in statuses.items() if status == "running"}
        files = sorted((self.run / "checkpoints").glob("*/*.pt"))
        files = [file for file in files if file.parent.name in running] or files
        sweep.process.kill()
        sweep.left(PATIENCE)
        files = [file for file in files if file.is_file()]
        if not files:
            return None
        file = self.random.choice(files)
        data = bytearray(file.read_bytes())
        at = self.random.randrange(len(data))
        if self.random.random() < 0.5:
            file.write_bytes(data[:at])
            return f"kill -9 of the driver; {file.name} of a unit cut at byte {at} of {len(data)}"
        data[at] ^= 1 << self.random.randrange(8)
        file.write_bytes(data)
        return f"kill -9 of the driver; one bit of byte {at} of {file.name} of a unit changed"


class NanPut(Blow):
    """A loss is NaN once."""

    key, meaning = "nan", "the loss of one step of one unit is NaN: it diverges, and the others go on"
    statuses = frozenset({0})

    def strike(self, sweep: SweepProcess) -> str | None:
        flag = self.place.folder / FLAG
        flag.touch()
        taken = sweep.until(lambda: not flag.exists(), PATIENCE)
        flag.unlink(missing_ok=True)
        return "NaN in one step of one unit" if taken else None

    def clear(self) -> None:
        statuses = Snapshot.of(self.run).statuses
        self.spoilt = frozenset(unit for unit, status in statuses.items() if status == "diverged")


class LateWorker(Blow):
    """A worker stands still while its driver is killed, and goes on in the midst of the sweep that goes on."""

    key, meaning = (
        "late",
        "a worker stands still, its driver is killed and the run goes on; then the old worker does",
    )
    statuses = KILLED
    late: psutil.Process | None = None

    def strike(self, sweep: SweepProcess) -> str | None:
        self.late = _worker(self, sweep)
        if self.late is None or not send(self.late, signal.SIGSTOP):
            return None
        sweep.process.kill()
        return "SIGSTOP of a worker, kill -9 of its driver, SIGCONT in the resumed run"

    def meanwhile(self, sweep: SweepProcess) -> None:
        before = _sizes(self.run)
        sweep.until(lambda: _sizes(self.run) != before, PATIENCE)
        time.sleep(self.random.uniform(0.0, 2.0))
        self.end()

    def end(self) -> None:
        if self.late is not None:
            send(self.late, signal.SIGCONT)


def _sizes(run: Path) -> dict[str, int]:
    return {entry.name: entry.stat().st_size for entry in os.scandir(run / "logs")}


BLOWS: dict[str, type[Blow]] = {
    blow.key: blow
    for blow in (
        WorkerKilled,
        DriverKilled,
        RayletKilled,
        HeadKilled,
        NodeKilled,
        DiskFilled,
        Terminated,
        HungUp,
        Stopped,
        CheckpointBroken,
        NanPut,
        LateWorker,
        InItsFolder,
        InItsNamespace,
        UnderAnotherUser,
    )
}
"""Key -> blow."""
