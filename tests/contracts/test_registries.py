"""Nothing registers without a suite, and no row without settings."""

from pathlib import Path

import pytest

from tests.contracts.settings import SETTINGS, rows
from tests.test_house import registries

SUITES = {
    "energy form": "test_modules",
    "temperature mode": "test_modules",
    "environment source": "test_modules",
    "set encoder": "test_modules",
    "teacher": "test_modules",
    "prototype graph": "test_modules",
    "encoder": "test_encoder",
    "loss term": "test_loss_term",
    "sampler": "test_sampler",
    "balance": "test_balance",
    "baseline": "test_baseline",
    "design": "test_design",
    "warning rule": "test_rule",
}
"""Kind of an extension point -> the file of its suite."""


def test_every_extension_point_has_a_suite() -> None:
    assert {*registries(), "design", "warning rule"} == SUITES.keys() == rows().keys()
    here = {file.stem: file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py")}
    assert {kind for kind, suite in SUITES.items() if f'"{kind}"' not in here[suite]} == set()


@pytest.mark.parametrize("kind", SUITES)
def test_every_row_has_settings_that_switch_it_on(kind: str) -> None:
    assert set(SETTINGS[kind]) == set(rows()[kind])
