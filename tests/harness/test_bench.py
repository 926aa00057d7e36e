"""The bench runs at toy size and its two ways agree; nothing here is timed."""

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import harness.bench.__main__ as bench
import harness.bench.stem as stem_bench
from analysis.errors import UserError
from harness.bench.__main__ import main
from harness.bench.batches import bench_batches
from harness.bench.figures_file import check_file, write
from harness.bench.gpu import NAMES
from harness.bench.measurement import Measurement, Time, alternate, middle, relative_elements, relative_norm
from harness.bench.plain_stem import PlainStem
from harness.bench.sizes import QUICK
from harness.bench.stem import bench_stem
from harness.bench.step import bench_step
from harness.bench.stub import StubExecutor
from models.sequence.stem import KmerStem
from tests.harness.command import command
from tests.narrow import present

CPU = torch.device("cpu")
KINDS = ("wall", "cpu")


def test_the_command_runs_everything_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    ran = command("harness.bench", "all", "--quick", "--device", "cpu", "--json", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    content = json.loads(file.read_text())
    names = [one["name"] for one in content["measurements"]]
    assert len(names) == 27
    assert all(name.split(",")[0] in ran.stdout for name in names)
    assert all(
        one[way][kind] > 0
        for one in content["measurements"]
        for way in ("plain", "fast")
        for kind in KINDS
        if not one["unmeasured"]
    )
    missing = [one for one in content["measurements"] if one["unmeasured"]]
    assert [one["name"] for one in missing] == list(NAMES)
    assert all(one["ratio"] is None and one["plain"]["wall"] is None for one in missing)
    assert ran.stdout.count("unmeasured") == len(NAMES)
    assert content["machine"]["torch"] == torch.__version__
    assert [item.name for item in tmp_path.iterdir()] == ["bench.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--batch", "0"), "--batch 0: expected at least 1"),
        (("--units", "100"), "--units: stem does not read it; it is for ranking, driver, report"),
        (("--threads", "-1"), "--threads -1: expected at least 1"),
        (("--json", "nowhere/x.json"), "there is no folder nowhere"),
        (("--json", "/proc/x.json"), r"--json /proc/x.json: it cannot be written \(.+\); give another place"),
        (("--json", "/dev/null"), "--json /dev/null: that is a device or pipe; expected a file"),
        (("--json", "/"), "--json /: that is a folder"),
        (("--json", "/tmp/" + "x" * 300), "name is too long"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "stem", *arguments])
    monkeypatch.setattr(bench, "measure", lambda *_, **__: pytest.fail("refused only after measuring"))
    with pytest.raises(UserError, match=said):
        main()


def test_a_file_of_figures_is_replaced_at_once_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bench.json"
    file.write_text("before")
    check_file(file)
    assert file.read_text() == "before"

    def full(self: Path, text: str) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(UserError, match=r"bench\.json: it cannot be written \(No space left on device\)"):
            write(file, "after")
    assert file.read_text() == "before"
    write(file, "after")
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


def test_a_fed_driver_runs_a_search_to_its_end(tmp_path: Path) -> None:
    executor = StubExecutor(tmp_path, 8, "random")
    executor.run(8)
    board = executor.proposer.board
    assert (board.ended, board.running(), len(executor.trials)) == (8, [], 8)
    assert (executor.proposer.new, executor.proposer.pending) == (0, {})
    assert len(list((tmp_path / "units").glob("*.parquet"))) == 8
    best = max(float(trial.last_result["objective"]) for trial in executor.trials)
    assert present(board.best()).objective == best == board.over(1)[0].objective
    blocks = [planned.config for planned in executor.proposer.plan.configs.values()]
    assert len({id(config.support) for config in blocks}) == 1, (
        "what configurations have in common is one object"
    )
    assert len({config.id for config in blocks}) == 8


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_both_stems_agree_and_every_plain_sample_is_counted(batch: int) -> None:
    done: list[int] = []
    size = replace(QUICK, batch=batch, exact_batch=2)
    one = bench_stem(size, CPU, done.append)
    assert sum(done) == 3 * batch
    assert one.broken() == []
    assert {key for key in one.differences if "float64" in key and "elementwise" in key} <= set(one.limits)


def test_a_near_tie_is_left_out_and_its_share_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast route that lets another position win in some windows breaks the gradients with these only."""
    size, right, told = replace(QUICK, embedding=24), KmerStem.disagreement, []

    def first_channel_parts(self: KmerStem, tokens: torch.Tensor) -> torch.Tensor:
        parted = right(self, tokens)
        parted[:, 0, 0] = True
        told.append(parted)
        return parted

    monkeypatch.setattr(KmerStem, "disagreement", first_channel_parts)
    real = stem_bench.both_passes

    def other_winner(stems: torch.nn.ModuleDict, tokens: Any, weights: Any, *rest: Any) -> Any:
        outputs, gradients = real(stems, tokens, weights, *rest)
        if not isinstance(stems["enhancer"], PlainStem):
            gradients[0] += 1e-3 * weights["enhancer"][:, 0, 0].abs().sum()
        return outputs, gradients

    monkeypatch.setattr(stem_bench, "both_passes", other_winner)
    one = bench_stem(size, CPU)
    assert one.differences["float32 gradients, norm, all windows"] > 1e-4
    assert one.differences["float32 gradients, norm, parted windows left out"] < 1e-5
    shares = one.notes["windows and channels parted"], one.notes["windows left out"]
    windows = sum(part[..., 0].numel() for part in told)
    assert shares[1] == pytest.approx(2 * size.batch / windows)
    assert shares[0] == pytest.approx(shares[1] / size.width)


def test_a_wrong_fast_route_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right = KmerStem.table
    monkeypatch.setattr(KmerStem, "table", lambda self: right(self) * 1.001)
    assert bench_stem(QUICK, CPU).broken()
    assert next(bench_step(QUICK, CPU)).broken()


def test_the_step_compares_equal_networks() -> None:
    one = next(bench_step(QUICK, CPU))
    assert one.broken() == []
    assert one.differences["gradients together, float32, norm"] < 1e-3


def test_batches_make_the_same_tokens() -> None:
    gathered, tokens = bench_batches(QUICK, CPU)
    assert tokens.differences == {"tokens that differ": 0.0}
    assert tokens.broken() == []
    assert gathered.notes["end to end"].endswith(" x")


def test_plain_stem_keeps_parameters_and_stream() -> None:
    stem = KmerStem(4, 3, 8, 5, 0.3)
    stem.dropout.stream = "stems.enhancer.dropout"
    plain = PlainStem.of(stem)
    assert plain.dropout.stream == stem.dropout.stream
    assert plain.dropout.p == 0.3
    assert plain.pool == 5
    for name, parameter in stem.named_parameters():
        torch.testing.assert_close(plain.get_parameter(name), parameter, rtol=0, atol=0)
        assert plain.get_parameter(name).data_ptr() != parameter.data_ptr()


def test_differences_by_hand() -> None:
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 5.0])
    assert relative_norm([a], [b]) == pytest.approx(1.0 / 34.0**0.5)
    assert relative_elements([a, b], [b, b]) == pytest.approx(0.2)
    zero = torch.zeros(2)
    assert relative_norm([zero], [zero]) == 0.0
    nan = relative_elements([torch.tensor([float("nan")])], [torch.ones(1)])
    assert nan != nan
    plain, fast = Time(wall=2.0, cpu=3.0), Time(wall=0.5, cpu=1.0)
    one = Measurement("x", plain, fast, None, differences={"y": nan}, limits={"y": 1.0})
    assert one.ratio == 4.0
    assert one.cpu_ratio == 3.0
    assert len(one.broken()) == 1
    assert one.record()["plain"] == {"wall": 2.0, "cpu": 3.0}
    assert one.record()["cpu_ratio"] == 3.0
    assert replace(one, fast=Time(1.0, 0.0)).cpu_ratio is None, "work below the clock's resolution"
    assert plain.times(2.0) == Time(4.0, 6.0)
    assert middle([plain, fast, plain]) == plain


@pytest.mark.parametrize(("budget", "fast", "faults"), [(True, 2.5, 1), (True, 2.0, 0), (False, 2.5, 0)])
def test_a_budget_that_is_overrun_is_a_fault(budget: bool, fast: float, faults: int) -> None:
    one = Measurement("x", Time(2.0, 2.0), Time(fast, 1.0), 1.0, budget=budget)
    said = ["x: 2.5 s are over the budget of 2 s on the clock"]
    assert one.broken() == said[:faults]


@pytest.mark.parametrize(("over", "status"), [(True, 1), (False, 0)])
def test_an_overrun_budget_ends_the_bench_with_status_1(
    over: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def twins(preset: str, size: str, device: torch.device, *, budget: bool) -> Measurement:
        plain = Time(1.0 if over else 3.0, 1.0)
        return Measurement(
            f"twins of preset {preset} at {size} sizes", plain, Time(2.0, 2.0), 1.0, budget=budget
        )

    def cached(size: str, *_: object, budget: bool, quick: bool) -> Iterator[Measurement]:
        yield twins("cached rp24", size, CPU, budget=budget)

    monkeypatch.setattr(bench, "bench_twins", twins)
    monkeypatch.setattr(bench, "bench_cached_twins", cached)
    monkeypatch.setattr(sys, "argv", ["bench", "twins", "--device", "cpu"])
    assert main() == status
    said = capsys.readouterr().out
    for preset, size in itertools.product(("minimal", "rp24", "complete"), ("default", "small")):
        assert f"twins of preset {preset} at {size} sizes" in said
    assert ("over the budget" in said) == over


def test_rounds_alternate() -> None:
    calls: list[str] = []
    times = alternate(
        lambda: calls.append("plain"), lambda: calls.append("fast"), plain_rounds=1, fast_rounds=3, device=CPU
    )
    assert calls == ["fast", "plain", "fast", "fast", "fast"]
    assert min(*times[0], *times[1]) >= 0.0
    calls.clear()
    alternate(
        lambda: calls.append("plain"), lambda: calls.append("fast"), plain_rounds=2, fast_rounds=2, device=CPU
    )
    assert calls == ["fast", "plain", "plain", "fast", "plain", "fast"]
    with pytest.raises(ValueError, match="one round"):
        alternate(lambda: None, lambda: None, plain_rounds=0, fast_rounds=1, device=CPU)
