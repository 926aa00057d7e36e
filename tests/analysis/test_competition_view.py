"""How a competition stood, from rows made by hand, and from a run without one."""

from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.competition_view import competitions
from analysis.errors import UserError
from analysis.store import Run
from tests.recorded.copies import Copy, write, write_unit


def reports(
    config: str, seed: int, epoch: int, line: str, *, advantage: float, acted: float
) -> list[dict[str, object]]:
    """Rows of `reports` of one cell line, and one of another term beside them."""
    values = {
        "rho": 1.0 + advantage,
        "rho_unseen": 1.0,
        "advantage": advantage,
        "advantage_unseen": -advantage,
        "acted": acted,
        "pulled": 1.0,
    }
    key = {"config": config, "fold": "chr8", "seed": seed, "epoch": epoch}
    own = [
        {**key, "term": "competition", "cell_line": line, "name": name, "value": value}
        for name, value in values.items()
    ]
    return [*own, {**key, "term": "contrastive", "cell_line": None, "name": "bank_fill", "value": 1.0}]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    for config, push in (("a", 0.0), ("b", 0.1)):
        for seed in (0, 1):
            write_unit(tmp_path, Copy(config, {"loss.competition.push": push}), seed)
            rows = [
                row
                for epoch in (2, 3)
                for k, line in enumerate(("K562", "HMEC"))
                for row in reports(
                    config, seed, epoch, line, advantage=0.01 * (epoch + seed + k), acted=push * 10 * k
                )
            ]
            write(tmp_path, "reports", f"{config}-chr8-{seed}.parquet", rows)
    return Run.open(tmp_path)


def test_last_epochs_are_averaged_over_cell_lines_then_seeds(run: Run) -> None:
    found = competitions(run).set_index("configuration")
    assert found.index.tolist() == ["push=0", "push=0.1"]
    assert found["acted"].tolist() == pytest.approx([0.0, 0.5])
    # epoch 3: 0.03 and 0.04 for seed 0, 0.04 and 0.05 for seed 1
    interval = found["advantage"].loc["push=0.1"]
    assert (interval.mean, interval.n) == (pytest.approx(0.04), 2)
    assert interval.low == pytest.approx(0.04 - 12.7062 * 0.005, abs=1e-5)
    assert found["advantage_unseen"].loc["push=0"].mean == pytest.approx(-0.04)
    rho = found.loc[["push=0"], ["rho_low", "rho_high"]].to_numpy()
    assert rho[0].tolist() == pytest.approx([1.03, 1.05])


def test_the_command_prints_it_and_says_what_it_means(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["competition", str(run.path)]) == 0
    said = capsys.readouterr().out
    assert "push=0.1" in said
    assert "+0.0400" in said
    assert "50%" in said
    assert "1.03 to 1.05" in said
    assert "above 1, the Opportunist is ahead" in said
    assert max(map(len, said.splitlines())) <= 100


def test_a_run_without_a_competition_is_told_so(run_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"nothing competed in this run; expected .*loss\.competition\.weight"
    ):
        main(["competition", str(run_path)])
