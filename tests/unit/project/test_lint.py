"""Each rule finds its mistake, and nothing in the file beside it that is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from composer.project.lint import report
from composer.project.lint.rules import RULES, findings, page
from tests.unit.project.loading import load_in, write

DOCS = Path(__file__).parents[3] / "docs"

DB = "db: {image: 'postgres:16', healthcheck: {test: 'true'}}"

BAD = {
    "C001": "services: {a: {image: redis}, b: {image: 'nginx:latest'}}",
    "C002": "services: {db: {image: 'postgres:16', ports: ['5432:5432']}}",
    "C003": f"services: {{a: {{image: 'i:1', depends_on: [db]}}, {DB}}}",
    "C004": "services: {a: {image: 'i:1', depends_on: {b: {condition: service_healthy}}}, b: {image: 'b:1'}}",
    "C005": "services: {a: {image: 'i:${INSIDE}', env_file: vars.env}}",
    "C006": "services: {a: {image: 'i:1', environment: {DB_PASSWORD: hunter2}}}",
    "C007": "services:\n  a:\n    image: i:1\n    ports:\n      - 22:22\n",
    "C008": "services: {a: {image: 'i:1', environment: {VERSION: 3.10}}}",
    "C009": "services: {a: {image: 'i:1', ports: ['80:80']}}",
    "C010": "services: {a: {image: 'i:1'}}\nvolumes: {v: {}}\nnetworks: {n: {}}\nsecrets: {s: {file: ./x}}",
    "C012": "services: {a: {image: 'i:1', ports: ['8000:8000', '0.0.0.0:81:81']}}",
    "C013": "services: {a: {image: 'i:1', ports: ['90:80']}, b: {image: 'i:1', ports: ['127.0.0.1:90:1']}}",
    "C011": "services: {a: {image: 'i:1', volumes: ['/var/run/docker.sock:/var/run/docker.sock']}}",
}
GOOD = {
    "C001": "services: {a: {image: 'redis:7'}, b: {image: 'nginx@sha256:"
    + "a" * 64
    + "'}, c: {image: host}, d: {build: .}}",
    "C002": "services: {db: {image: 'postgres:16', ports: ['127.0.0.1:5432:5432']}, web: {image: 'i:1', ports: ['80:80']}}",
    "C003": f"services: {{a: {{image: 'i:1', depends_on: {{db: {{condition: service_healthy}}}}}}, {DB}}}",
    "C004": f"services: {{a: {{image: 'i:1', depends_on: {{db: {{condition: service_healthy}}}}}}, {DB}}}",
    "C005": "services: {a: {image: 'i:${OUTSIDE:-1}', env_file: vars.env}}",
    "C006": "services: {a: {image: 'i:1', environment: {DB_PASSWORD: '${PW}', DB_PASSWORD_FILE: /run/secrets/x, TOKEN: }}}",
    "C007": "services:\n  a:\n    image: i:1\n    ports:\n      - '22:22'\n      - 8080:80\n",
    "C008": "services: {a: {image: 'i:1', environment: {VERSION: '3.10', N: 10, F: 1.5}}}",
    "C009": "services: {a: {image: 'i:1', ports: ['81:81']}}",
    "C010": "services: {a: {image: 'i:1', volumes: ['v:/v']}}\nvolumes: {v: {}}",
    "C012": "services: {a: {image: 'i:1', ports: ['127.0.0.1:8000:8000', '[::1]:81:81']}}",
    "C011": "services: {a: {image: 'i:1', volumes: ['./docker:/x']}}",
    "C013": "services: {a: {image: 'i:1', ports: ['90:80', '91:80', '90:80/udp', '127.0.0.1:92:1', '127.0.0.2:92:1']},"
    "b: {image: 'i:1', profiles: [b], ports: ['93:1']}, c: {image: 'i:1', profiles: [c], ports: ['93:1']}}",
}


def codes(directory: Path, text: str) -> list[str]:
    override = "services: {a: {ports: ['8080:80']}}" if "80:80" in text and "web" not in text else ""
    write(directory, {"compose.yaml": text, "vars.env": "INSIDE=1\n", "x": ""})
    if override and "81" not in text:
        write(directory, {"compose.override.yaml": override})
    return [rule.code for rule, _ in findings(load_in(directory, {"PW": "x"}))]


@pytest.mark.parametrize("code", BAD)
def test_a_mistake_is_found(tmp_path: Path, code: str) -> None:
    assert code in codes(tmp_path, BAD[code])


@pytest.mark.parametrize("code", GOOD)
def test_what_is_right_is_left_alone(tmp_path: Path, code: str) -> None:
    assert code not in codes(tmp_path, GOOD[code])


def test_every_rule_has_both_tests_and_says_why() -> None:
    assert {rule.code for rule in RULES} == BAD.keys() == GOOD.keys()
    assert all(rule.doc for rule in RULES)


def test_the_page_of_rules_is_the_one_they_make() -> None:
    assert (DOCS / "checks.md").read_text().splitlines() == list(page())


def test_findings_come_in_the_formats_of_other_tools(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": BAD["C001"]})
    found = findings(load_in(tmp_path))

    assert [row["code"] for row in json.loads(report.as_json(found))] == ["C001", "C001"]
    sarif = json.loads(report.as_sarif(found))
    assert sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert report.as_github(found).startswith("::warning file=compose.yaml,line=1,col=")
