"""The mutants are of this tree: each line stands in it once, and each of its tests is there."""

from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import PACKAGES, Mutant, MutantError, sources
from tests.mutants.run import by_assertion

ROOT = Path(__file__).resolve().parents[2]


def test_every_line_of_a_mutant_stands_in_the_product_once() -> None:
    text = "\0".join(path.read_text(encoding="utf-8") for path in sources(ROOT))
    assert {mutant.name: text.count(mutant.line) for mutant in MUTANTS if text.count(mutant.line) != 1} == {}


def test_mutants_are_thirty_with_names_and_tests_of_their_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 30
    for mutant in MUTANTS:
        assert mutant.breaks, mutant.name
        assert mutant.wrong != mutant.line
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            file, _, function = test.partition("::")
            assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8") + "def (", test


def test_a_line_that_stands_twice_is_no_mutant(tmp_path: Path) -> None:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "a.py").write_text("x = 1\n")
    mutant = Mutant("x", "x is two", "x = 1", "x = 2", ())
    with pytest.raises(MutantError, match="stands 3 times"):
        mutant.apply(tmp_path)
    for package in PACKAGES[1:]:
        (tmp_path / package / "a.py").unlink()
    path, before = mutant.apply(tmp_path)
    assert (path.read_text(), before) == ("x = 2\n", "x = 1\n")


@pytest.mark.parametrize(
    ("message", "dies"),
    [
        ("assert 1 == 2", True),
        ("AssertionError: Tensor-likes are not close!", True),
        ("Failed: DID NOT RAISE <class 'ValueError'>", True),
        ("ImportError: cannot import name 'x'", False),
        ("AttributeError: no attribute 'x'", False),
    ],
)
def test_only_an_assertion_kills(message: str, dies: bool) -> None:
    assert by_assertion(message) == dies
