"""Records tests/recorded/run: `python -m tests.recorded` (a real sweep of twelve units, about a minute on two idle cores).

To be run whenever the store's schema or the keys of a configuration change; tests/recorded/test_recorded.py says when.
"""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.arguments import command_parser
from analysis.schema import ALWAYS
from tests.recorded.copies import RUN

ROOT = RUN.parents[2]
COMMAND = ("-m", "harness.sweep", "tests/recorded/sweep.yaml")
KEPT = (*ALWAYS, "mechanisms", "audit", "baselines", "ledger", "predictions", "embeddings")
"""Tables that `analysis` ranks by and verifies. Logs and checkpoints would be most of the bytes."""


def main() -> None:
    """Run the sweep in a temporary folder and put what a reader needs of it in the place of the recorded run. It takes no
    arguments, and refuses any."""
    command_parser("python -m tests.recorded", __doc__).parse_args()
    with TemporaryDirectory() as folder:
        made = Path(folder) / "run"
        places = ("--out", str(made), "--cache", str(Path(folder) / "cache"))
        subprocess.run([sys.executable, *COMMAND, *places], cwd=ROOT, check=True)
        keep(made, RUN)
    total = sum(file.stat().st_size for file in RUN.rglob("*") if file.is_file())
    print(f"{total / 1024:.0f} KiB in {RUN.relative_to(ROOT)}")


def keep(made: Path, kept: Path) -> None:
    """Write what is kept of the run `made` to `kept`, in place of what is there, without names of this machine."""
    shutil.rmtree(kept, ignore_errors=True)
    for table in KEPT:
        (kept / table).mkdir(parents=True)
        for file in (made / table).glob("[!.]*.parquet"):
            repack(file, kept / table / file.name)
    for name in ("plan.json", "sweep.yaml"):
        shutil.copy(made / name, kept / name)
    start = json.loads((made / "provenance.json").read_text(encoding="utf-8"))
    start |= {"command": ["python", *COMMAND], "folder": ".", "git": None, "platform": platform.system()}
    (kept / "provenance.json").write_text(
        json.dumps(start, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def repack(file: Path, to: Path) -> None:
    """The same row groups and metadata in fewer bytes."""
    with pq.ParquetFile(file) as old:
        words = [field.name for field in old.schema_arrow if pa.types.is_string(field.type)]
        options = {"compression_level": 19, "use_dictionary": words, "write_statistics": False}
        with pq.ParquetWriter(to, old.schema_arrow, compression="zstd", **options) as writer:
            for number in range(old.num_row_groups):
                group = old.read_row_group(number)
                writer.write_table(group, row_group_size=max(1, len(group)))


if __name__ == "__main__":
    main()
