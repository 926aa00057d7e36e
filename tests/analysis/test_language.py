"""What is printed in Chinese has no English but identifiers, and means what the English says."""

import html
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from analysis.__main__ import main
from analysis.completeness import NO_ROWS, NOT_STARTED
from analysis.errors import UserError
from analysis.language import Catalogue, catalogue, translated
from analysis.language.catalogue import PLACE
from analysis.reported import STOPPED_BY_AUDIT, UNBEGUN
from analysis.rules import RULES, Units, why
from analysis.schema import TABLES
from analysis.store import Run
from tests.analysis.rule_units import unit
from tests.narrow import present

ZH = Path(__file__).parents[2] / "analysis" / "language" / "zh.toml"
_COMMAND = re.compile(r"python -m [\w.]+( [\w./~-]+)*|/[\w./-]+|RUN = '[^']*'|https?://\S+")
_IDENTIFIER = re.compile(r"\w*[_.=/0-9]\w*(?:[_.=/-]\w+)*|[A-Z][A-Za-z]*[A-Z]\w*|\b[A-Z]\b|--[\w-]+")
_NAMES = frozenset(
    [
        "Student",
        "Nadeau",
        "Bengio",
        "Holm",
        "Dunnett",
        "Opportunist",
        "logit",
        "dropout",
        "mer",
        "Teacher",
        "AdamW",
        "NumPy",
        "false",
        "terms",
        "unified",
    ]
)

SOFTWARE = frozenset(
    ["numpy", "optuna", "pandas", "pyarrow", "pydantic", "ray", "scikit", "learn", "cpu", "Linux", "Darwin"]
) | frozenset(["sigma", "BIC", "HSIC", "dip"])
"""What a report names as it is: packages, the machine, and symbols."""


def english(text: str, identifiers: Iterable[str] = ()) -> list[str]:
    """Words of a text that are neither identifiers nor names."""
    for pattern in (_COMMAND, _IDENTIFIER):
        text = pattern.sub(" ", text)
    known = _NAMES | set(TABLES) | set(identifiers)
    marks = {rule.mark for rule in RULES.values()}
    words = re.findall(r"[A-Za-z]{2,}", text)
    return [
        word for word in words if word not in known and not (set(word) <= marks and len(word) <= len(marks))
    ]


def words_of(page: Path) -> str:
    """What a person reads on a page, without its commands and figures."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(
        r"<script.*?</script>|<style.*?</style>|<pre.*?</pre>|<code.*?</code>", "", text, flags=re.DOTALL
    )
    return html.unescape(re.sub(r"<[^>]+>", "\n", text))


def _identifiers(run: Path) -> set[str]:
    """Words in the names that a run's configurations, cell lines, mechanisms and baselines have."""
    opened = Run.open(run)
    audit, baselines, units = (opened.table(name) for name in ("audit", "baselines", "units"))
    names = [*audit["mechanism"], *baselines["baseline"], *units["changes_json"], opened.name, *RULES]
    return {word for name in names for word in re.findall(r"[A-Za-z]+", str(name))}


@pytest.mark.parametrize("run", ["run_path", "planted"])
def test_a_ranking_in_chinese_has_no_english(
    run: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    folder: Path = request.getfixturevalue(run)
    assert main([str(folder), "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert "预警" in said
    assert english(said, _identifiers(folder)) == []


def test_counts_of_units_are_in_chinese() -> None:
    words = present(catalogue("zh"))
    states = ("diverged", "failed", "running", "interrupted", STOPPED_BY_AUDIT, UNBEGUN, NOT_STARTED, NO_ROWS)
    alone = [f"6 {state}" for state in states]
    for said in (*alone, f"not ranked: {', '.join(alone)}"):
        assert english(words(said)) == [], said
    for state in states:
        for units in ("seed 3", "seeds 1, 2, ..."):
            assert english(words(f"1/3 units: {state} {units}; failed seed 0")) == [], state


def test_every_advice_of_a_rule_is_in_chinese() -> None:
    words = present(catalogue("zh"))
    assert {
        rule: english(words(each.advice)) for rule, each in RULES.items() if english(words(each.advice))
    } == {}


def test_a_translation_has_the_places_of_its_sentence() -> None:
    for section in tomllib.loads(ZH.read_text(encoding="utf-8")).values():
        for sentence, text in section.items():
            places = dict(PLACE.findall(sentence))
            told = {name for name, _ in PLACE.findall(text)}
            assert told <= set(places), sentence
            kept = {name for name, kind in places.items() if kind in ("#", "!", "=")}
            assert kept <= told, f"a number or a name is lost: {sentence}"


def test_sentences_are_looked_up_whole_then_in_parts() -> None:
    words = Catalogue(
        {"{n#} of {what}": "{what}: {n}", "all units": "U", "left": "L", "{a} of units": "x"}, "；"
    )
    assert words("3 of all units") == "U: 3"
    assert words("  3 of all units\n") == "  U: 3\n", "spaces around it stay"
    assert words("left; 3 of all units; other") == "L；U: 3；other", "what is not known stays"
    assert words("3a of all units") == "3a of all units", "3a is no number"
    assert words("") == ""


def test_a_place_takes_what_it_is_for_and_translates_words_alone() -> None:
    words = Catalogue(
        {
            "one": "一",
            "word {a!}": "字 {a}",
            "all of {a=}": "{a} 全部",
            "as {a}": "如 {a}",
            "each {a*}": "每 {a}",
            "the same {a} and {a}": "同 {a}",
        },
        "；",
        "、",
    )
    assert words("word one") == "字 one"
    assert words("word one: two") == "word one: two", "a name is one word without punctuation"
    assert words("all of one, (one)") == "one, (one) 全部"
    assert words("as one") == "如 一"
    assert words("each one, two") == "每 一、two"
    assert words("the same one and one") == "同 一"
    assert words("the same one and two") == "the same one and two"


def test_a_space_stands_between_chinese_and_latin_words() -> None:
    words = Catalogue({"it moves {what}": "它移动{what}的值", "slope": "斜率", "name {a!}": "名{a}"})
    assert words("it moves slope") == "它移动斜率的值"
    assert words("it moves R_E") == "它移动 R_E 的值"
    assert words("it moves (T - 1)^2") == "它移动 (T - 1)^2 的值"
    assert words("name R_E") == "名R_E", "where it is never looked up, the translation has the spaces"


def test_a_text_is_not_known_by_what_fits_its_end() -> None:
    words = Catalogue(
        {"{what} (and {n#} more)": "{what}（另有 {n} 个）", "{n#} left of {what}": "{what}余 {n}"}
    )
    assert words("all of it (and 2 more)") == "all of it（另有 2 个）"
    assert not words.knows("all of it (and 2 more)")
    assert words.knows("2 left of it")


def test_styles_stay_where_texts_are_translated() -> None:
    words = Catalogue({"one": "一", "two": "二", "head": "头"})
    text = Text("one ", style="dim").append("two", style="bold")
    table = Table("head", title="one")
    table.add_row(Text("two"), style="red")
    first, second = translated([text, table], words)
    assert isinstance(first, Text)
    assert isinstance(second, Table)
    assert first.plain == "一 二"
    assert [str(span.style) for span in first.spans] == ["bold"]
    assert str(first.style) == "dim"
    assert (str(second.columns[0].header), second.title, second.rows[0].style) == ("头", "一", "red")
    assert list(translated([text], None)) == [text]


def test_an_unknown_language_is_one_sentence(run_path: Path) -> None:
    with pytest.raises(UserError, match=r"--lang zhh: no such language.*'zh'.*there are en, zh"):
        main([str(run_path), "--lang", "zhh"])
    assert catalogue("en") is None


def test_a_report_in_chinese_has_no_english(run_path: Path, tmp_path: Path) -> None:
    assert main(["report", str(run_path), "--lang", "zh", "--out", str(tmp_path / "zh.html")]) == 0
    said = words_of(tmp_path / "zh.html")
    assert "尚无定论" in said
    assert english(said, _identifiers(run_path) | SOFTWARE) == []


CLAUSES = (
    "AUC of the unseen pairs, for its clause on chance",
    "values of the term task of the table terms, for its clause on the loss",
    "spread of the output within a cell line, for its clause on spread",
)
"""What a rule of two clauses lacks for one of them."""


def test_what_every_rule_can_lack_is_in_chinese() -> None:
    words = present(catalogue("zh"))
    units = Units.of_one(unit())
    lacks = {what for rule in RULES.values() for what, _ in rule.measure(units).lacks}
    assert len(lacks) > 25
    columns = {name for schema in TABLES.values() for name in schema.names} | {
        "acted",
        "pulled",
        "column",
        "distillation",
        "competition",
    }
    left = {what: english(words(why(what)), columns) for what in (*lacks, *CLAUSES)}
    assert {what: rest for what, rest in left.items() if rest} == {}
