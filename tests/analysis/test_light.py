"""`python -m analysis` without torch, Ray, the harness and Optuna; and without the libraries of what was not asked for."""

import os
import subprocess
import sys
from pathlib import Path

from tests.analysis.test_arm_effects import ablation

ROOT = Path(__file__).parents[2]
REFUSED = ("torch", "ray", "harness", "models", "optuna", "lightning")
HEAVY = ("plotly", "sklearn", "jinja2", "statsmodels", "scipy.stats", "scipy.optimize")
"""What a ranking needs nothing of."""
PROGRAM = """
import sys


class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError(f"{{name}} is not installed here")


sys.meta_path.insert(0, Refusing())
from analysis.__main__ import main

run, out = sys.argv[1:]
assert main([run]) == 0
print("loaded:", [name for name in {heavy!r} if name in sys.modules])
for command in (
    ["effects", run],
    ["report", run, "--out", f"{{out}}/report.html"],
    ["table", run, "--latex"],
    ["claims", run],
    ["rules"],
    ["export", run, "--to", "csv", "--out", f"{{out}}/csv"],
):
    assert main(command) == 0, command
import analysis

loaded = analysis.load(run)
for frame in (loaded.ranking(), loaded.effects(), loaded.warnings(), loaded.curves()):
    assert len(frame)
print("refused:", sorted(name for name in sys.modules if name.split(".")[0] in {refused!r}))
"""


def test_analysis_runs_where_torch_and_ray_are_not(tmp_path: Path) -> None:
    run = ablation(tmp_path / "arms", {"b": 0.0, "x": -0.05}, seeds=(0, 1)).path
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(refused=REFUSED, heavy=HEAVY), run, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "loaded: []" in lines, "a ranking starts without what only other commands need"
    assert lines[-1] == "refused: []"
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
