"""The pages: generated ones are as the code is now, and what they name, quote, link to and let run is there."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from analysis import rules_page, schema_page
from analysis.rules import RULES
from harness.config.blocks.data import DataBlock
from harness.config.sweep.sweep import load_sweep
from harness.mechanisms import page as mechanisms_page
from harness.mechanisms.catalogue import catalogue
from tests.contracts.page import files_of_page
from tests.harness.command import command
from tests.parsed import parsed, walked
from tests.test_house import addresses, registries

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SHARED = ROOT / "analysis" / "commands" / "of_run.py"
"""Options that commands of several packages take."""
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")))
SEED, RECORD, DEFINITION = r"\b00[0-4]\b", r"\brp\d\d\b", r"definitions, ([A-Z][a-z]+(?: [a-z]+)*|IMMAX)"
PAPER = r"([A-Z][\w-]+(?: den [A-Z]\w+)?)(?: and [A-Z][\w-]+| et al\.)? (\d{4})"
GAP = "…"
"""Stands for a name or a number in a quoted sentence."""
LONGEST_README = 120
SMALL = """
name: small
base: minimal
data: {synthetic: {cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}
trial: {epochs: 1, seeds: 2}
design: grid
set: {model.enhancer_bp: 80, model.promoter_bp: 80, support.size: 4, episode.query: 8, audit: "off"}
"""


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a page in one language; "" for those that name none."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.M | re.S)


def anchors() -> set[str]:
    """What references.md and definitions.md explain: source documents, record points, papers, headings."""
    references, definitions = text(DOCS / "references.md"), text(DOCS / "definitions.md")
    return {
        *re.findall(r"^### source document (\d{3})$", references, re.M),
        *re.findall(r'<a id="(\w+)">', references),
        *re.findall(r"^\| ([a-z]+-\d{4}) \|", references, re.M),
        *re.findall(r"^## (.+)$", definitions, re.M),
    }


def named(source: str) -> list[str]:
    """The anchors that a source names."""
    papers = [f"{name.split()[-1].lower()}-{year}" for name, year in re.findall(PAPER, source)]
    others = [name for pattern in (SEED, RECORD, DEFINITION) for name in re.findall(pattern, source)]
    return others + papers + ["cross_attention"] * ("cross_attention" in source)


def sources() -> dict[str, str]:
    rows = {f"{kind}: {row.key}": row.source for kind, table in registries().items() for row in table}
    rows |= {f"mechanism: {row.key}": row.source for row in catalogue()}
    return rows | {f"rule: {row.rule}": row.source for row in rules_page.rows()}


def places(page: Path) -> set[str]:
    """What a link can lead to on a page: its headings as a reader's browser knows them, and named anchors."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="(\w+)">', text(page)))


def broken(page: Path, link: str) -> bool:
    """Whether a relative link of a page leads nowhere."""
    path, _, place = link.partition("#")
    target = page if not path else page.parent / path
    return not target.exists() or bool(place and place not in places(target))


@cache
def sentences() -> tuple[str, ...]:
    """Every text that the product's code can say, docstrings apart, with `GAP` for what is filled in."""
    said: list[str] = []
    for file in (
        file for package in ("harness", "analysis", "models") for file in (ROOT / package).rglob("*.py")
    ):
        nodes = walked(parsed(file))
        silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                said.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
                said.append("".join(map(str, parts)))
    return tuple(said)


def occurs(quote: str) -> bool:
    """Whether the fixed parts of a quoted sentence stand in one text of the product, in their order."""
    parts = quote.split(GAP)

    def in_order(sentence: str) -> bool:
        at = 0
        for part in parts:
            found = sentence.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return any(map(in_order, sentences()))


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """(module, options) of every `python -m` command of the project on a page."""
    joined = text(page).replace("\\\n", " ")
    calls = re.findall(r"python -m ((?:harness|analysis)[\w.]*)([^\n`|]*)", joined)
    return [
        (module, re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.partition("  #")[0])) for module, rest in calls
    ]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of a person whose runs/rp24 is a run of one small configuration with two seeds."""
    home = tmp_path_factory.mktemp("home")
    (home / "small.yaml").write_text(SMALL, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        ended = command("harness.single", "small.yaml", "--epochs", 1, "--seeds", 0, 1, "--out", "runs/rp24")
    assert ended.returncode == 0, ended.stderr
    return home


def test_every_source_can_be_looked_up() -> None:
    known, rows = anchors(), sources()
    assert len(rows) > 100
    assert {name: source for name, source in rows.items() if not named(source)} == {}
    assert {name: lost for name, source in rows.items() if (lost := set(named(source)) - known)} == {}


def test_the_check_of_sources_sees_what_is_missing() -> None:
    assert named("source documents 000 and 001; rp13; Guo et al. 2017, eq. 2; definitions, Sample scope") == [
        "000", "001", "rp13", "Sample scope", "guo-2017",
    ]  # fmt: skip
    assert "nobody-1900" not in anchors()
    assert {"000", "rp04", "guo-2017", "Gauge"} <= anchors()


def test_generated_pages_are_as_the_code_is_now() -> None:
    for name, made, writes in (
        ("mechanisms.md", mechanisms_page.page(), "python -m harness.mechanisms --markdown"),
        ("store.md", schema_page.page(), "python -m analysis schema"),
        ("rules.md", rules_page.page(), "python -m analysis rules --markdown"),
    ):
        assert text(DOCS / name) == made, f"run {writes} > docs/{name}"


def test_every_warning_rule_stands_in_the_table_of_rules() -> None:
    rows = [f"| `{r.id}` | {r.mark} | {r.severity} | {r.condition_text} |" for r in RULES.values()]
    rows.append("| `duplicate_results` | 2 | fault |")
    stand = [line for line in text(DOCS / "rules.md").splitlines() if line.startswith("| `")]
    assert [line.startswith(row) for row, line in zip(rows, stand, strict=True)] == [True] * len(rows)


def test_relative_links_and_their_headings_are_there() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", text(page))]
    relative = [(page, link) for page, link in links if "://" not in link]
    assert len(relative) > 30
    assert [f"{page.name}: {link}" for page, link in relative if broken(page, link)] == []
    assert broken(ROOT / "README.md", "docs/nowhere.md")
    assert broken(DOCS / "audit.md", "concepts.md#nothing")


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w.]+)", text(ROOT / "README.md")))
    assert {page.name for page in DOCS.glob("*.md")} - linked == set()


def test_pages_name_no_registry_and_no_place_of_one_machine() -> None:
    assert {page.name: places for page in PAGES if (places := addresses(text(page)))} == {}


def test_quoted_sentences_are_those_that_the_product_says() -> None:
    quotes = re.findall(r"^> `(.+)`$", text(DOCS / "troubleshooting.md"), re.M)
    assert len(quotes) > 40
    assert [quote for quote in quotes if len(re.findall(r"[a-z]{2,}", quote)) < 3] == [], (
        "nothing to search for"
    )
    assert [quote for quote in quotes if not occurs(quote)] == []


def test_the_check_of_quotes_sees_other_words() -> None:
    assert occurs(f"{GAP}: another sweep is running in this folder")
    assert not occurs(f"{GAP}: another sweep is sleeping in this folder")


def test_documented_commands_and_options_exist() -> None:
    calls = [(page.name, *call) for page in PAGES for call in commands(page)]
    assert len(calls) > 30
    assert sum(len(options) for *_, options in calls) >= 25, "fewer only where an option is gone"
    for page, module, options in calls:
        package = ROOT / module.replace(".", "/")
        assert (package / "__main__.py").exists(), f"{page}: python -m {module}"
        known = text(SHARED) + "".join(text(file) for file in package.rglob("*.py"))
        assert [option for option in options if f'"{option}"' not in known] == [], f"{page}: {module}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_yaml_is_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        content: dict[str, Any] = YAML(typ="safe").load(block)
        if "use" in content:
            continue  # what its files register would stay: tests/contracts/test_use.py runs it in a process of its own
        if "base" in content:
            (tmp_path / "sweep.yaml").write_text(block, encoding="utf-8")
            load_sweep(tmp_path / "sweep.yaml")
        else:
            DataBlock.model_validate(content["data"])


def test_the_readme_is_short_and_its_snippet_runs(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(text(ROOT / "README.md").splitlines()) <= LONGEST_README
    (snippet,) = blocks(ROOT / "README.md", "python")
    assert len(snippet.splitlines()) <= 6
    monkeypatch.chdir(small_run)
    exec(compile(snippet, "README.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    assert printed[:3] == ["rank", "label", "value"]
    assert "base" in printed


def typed(page: Path) -> set[str]:
    """Every command that a page shows in a block of its own, without what is said of it."""
    lines = (line for block in blocks(page, "") for line in block.splitlines())
    calls = (line.partition("  #")[0].strip() for line in lines)
    return {call for call in calls if call.startswith(("python -m ", "make ", "source "))}


def test_the_chinese_readme_has_every_command_of_the_english() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert len(typed(english)) >= 8
    assert typed(english) - typed(chinese) == set()
    assert blocks(english, "python") == blocks(chinese, "python")
    assert set(re.findall(r"`(python -m [^`]+)`", text(english))) - typed(chinese) == set()


def test_the_recipe_of_the_ranking_picture_runs(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe,) = blocks(ROOT / "CONTRIBUTING.md", "python")
    monkeypatch.chdir(small_run)
    exec(compile(recipe, "CONTRIBUTING.md", "exec"), {})
    assert "95 % t-interval over seeds" in text(small_run / "ranking.html")


def test_concepts_prints_what_it_says_of_invariance(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = blocks(DOCS / "concepts.md", "python")
    exec(compile(snippet, "concepts.md", "exec"), {})
    assert capsys.readouterr().out in blocks(DOCS / "concepts.md", "text")


def test_the_page_on_adding_prints_whole_files() -> None:
    files = files_of_page()
    assert len(files) == 10
    assert len(blocks(DOCS / "adding.md", "python")) == 9
    assert len(files["my_terms.py"].splitlines()) < 50
    (sweep,) = blocks(DOCS / "adding.md", "yaml")
    used = YAML(typ="safe").load(sweep)["use"]
    assert {*used, "my_source.py", "my_sweep.yaml"} == set(files)


def test_pre_commit_runs_what_make_lint_types_runs() -> None:
    config = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}, "nothing is fetched"
    assert {hook["language"] for hook in hooks} == {"system"}
    recipes = re.findall(r"^\t\$\(BIN\)/((?:ruff|mypy).*)$", text(ROOT / "Makefile"), re.M)
    assert [hook["entry"] for hook in hooks] == [f".venv/bin/{recipe}" for recipe in recipes]


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert (citation["version"], citation["license"]) == (project["version"], "MIT")
    assert citation["authors"]
    assert citation["title"]
