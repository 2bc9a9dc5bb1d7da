"""What the hand-written pages name exists: metrics, dependencies, alerts, commands, files."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from producer.errors import Refusal
from runtime.metrics import CATALOGUE
from stripeline.docs import ROOT, documents

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RULES = (ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8")
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "docs" / "operations.md",
    ROOT / "docs" / "settings.md",
    ROOT / "docs" / "metrics.md",
)
METRICS = {metric.name: metric for metric in CATALOGUE}


def alerts() -> dict[str, str]:
    """Alert -> its query."""
    [group] = yaml.safe_load(RULES)["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


@pytest.mark.parametrize("text", [OPERATIONS, RULES], ids=["operations", "alerts"])
def test_every_metric_that_is_named_exists(text: str) -> None:
    named = set(re.findall(r"stripeline_(?:webhook|relay|sink|dead)[a-z_]*", text))

    assert len(named) >= 5
    assert named <= set(METRICS)


def test_an_alert_asks_only_for_labels_and_reasons_that_exist() -> None:
    for query in alerts().values():
        for name, selector in re.findall(r"(stripeline_\w+)\{([^}]*)\}", query):
            labels = dict(re.findall(r'(\w+)=~?"([^"]*)"', selector))
            assert set(labels) <= set(METRICS[name].labels)
            if name == "stripeline_webhook_refused_total":
                wanted = re.compile(labels["reason"])
                assert any(wanted.fullmatch(reason.value) for reason in Refusal), query


def test_every_alert_has_its_line_in_operations() -> None:
    table = OPERATIONS.partition("## Alerts")[2]

    assert set(re.findall(r"^\| `(Stripeline\w+)`", table, re.MULTILINE)) == set(alerts())


def test_every_dependency_has_its_line_and_every_line_its_dependency() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        read = tomllib.load(file)
    wanted = [*read["project"]["dependencies"], *read["dependency-groups"]["dev"]]
    page = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    told = {
        name.partition("[")[0] for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)
    }

    assert told == {re.split(r"[\[<>=~ ]", line)[0] for line in wanted}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link, _ in links if link and not link.startswith("https://")]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_heading_that_operations_links_to_is_there() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", OPERATIONS, re.MULTILINE)
    }

    linked = set(re.findall(r"\]\(#([^)]*)\)", OPERATIONS)) | {"alerts"}
    assert linked <= headings


def test_every_variable_that_the_pages_name_is_a_setting() -> None:
    settings = documents()["docs/settings.md"]
    for page in PAGES[:3]:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`([A-Z][A-Z]+_[A-Z_]+)(?:=[^`]*)?`", text):
            assert f"| `{name}` |" in settings, f"{page.name}: {name}"
