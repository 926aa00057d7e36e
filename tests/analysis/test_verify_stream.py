"""A run is verified unit by unit: in memory that does not grow with its units, wherever their rows stand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.ledger.run import RunLedger
from analysis.store import Run
from tests.analysis.many_units import write_copies


def test_a_part_at_a_time_verifies_every_unit_once(tmp_path: Path) -> None:
    write_copies(tmp_path / "run", units=26, per_part=5)
    folder = tmp_path / "run" / "predictions"
    sizes = [pq.read_table(file, partitioning=None).nbytes for file in folder.glob("part-*.parquet")]
    assert len(sizes) == 5
    assert len(list(folder.glob("[!p]*.parquet"))) == 1
    before, most, names = pa.total_allocated_bytes(), 0, []
    ledger = RunLedger(Run.open(tmp_path / "run"))
    for result in ledger.verify():
        names.append(result.name)
        most = max(most, pa.total_allocated_bytes() - before)
        assert result.verification.faults == ()
    assert sorted(names) == ledger.units
    assert len(set(names)) == 26
    assert most < sum(sizes)


def test_a_file_of_its_own_counts_before_a_part(tmp_path: Path) -> None:
    write_copies(tmp_path / "run", units=4, per_part=2)
    folder = tmp_path / "run" / "predictions"
    table = pq.read_table(folder / "part-0000001.parquet", partitioning=None)
    alone = table.filter(pc.equal(table["seed"], 1)).slice(1)
    (name,) = (name for name in RunLedger(Run.open(tmp_path / "run")).units if name.endswith("-1"))
    pq.write_table(alone, folder / f"{name}.parquet")
    faults = {each.name: each.verification.faults for each in RunLedger(Run.open(tmp_path / "run")).verify()}
    assert len(faults) == 4
    assert [each for each, texts in faults.items() if texts] == [name]
    assert "predictions are there" in faults[name][0]
