"""The schemas in the hands of the server that editors ask: what is right is quiet, what is wrong is marked in place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from incidentd.cli import main
from incidentd.config import KINDS, SCHEMAS_DIR
from incidentd.config.editors import NAMES, write
from incidentd.config.shape import ANY, schema_of
from tests.editors.server import YamlServer

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SHIPPED = [
    path for folder in ("rules", "playbooks", "deploy/example") for path in sorted((ROOT / folder).glob("*.yaml"))
]
README = re.findall(r"```yaml\n(kind: config.*?)```", (ROOT / "README.md").read_text(), re.S)
# a file, what is changed in it, and what an editor shows there
BROKEN = [
    ("rules/platform.yaml", "decide: hold", "decide: hodl", "Value is not accepted"),
    ("rules/platform.yaml", "severity: sev4", "severitty: sev4", "Property severitty is not allowed"),
    ("rules/checkout_test.yaml", "declared: at_once", "declared: later", "Value is not accepted"),
    ("playbooks/restart-stuck-worker.yaml", "mode: auto", "mode: always", "Value is not accepted"),
    ("playbooks/renew-certificate.yaml", "timeout: 5m", "timeout: 5", "Incorrect type"),
    ("playbooks/free-build-disk.yaml", "on_failure: page", "on_failure: pray", "Value is not accepted"),
    ("playbooks/free-build-disk_test.yaml", "outcome: verified", "outcome: healed", "Value is not accepted"),
    ("playbooks/free-build-disk_test.yaml", "given:", "givn:", "Property givn is not allowed"),
    ("deploy/example/people.yaml", "people:\n", "peple:\n", "Property peple is not allowed"),
    ("deploy/example/incidentd.yaml", "listen: 127", "listn: 127", "Property listn is not allowed"),
    ("deploy/example/oncall.yaml", "turn: 1w", "turn: 7", "Incorrect type"),
]
needs_server = pytest.mark.needs("yaml-language-server")


def text_of(path: Path) -> str:
    return path.read_text()


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n")


def shown(found: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(it["range"]["start"]["line"], it["message"]) for it in found]


@needs_server
@pytest.mark.slow
async def test_every_shipped_file_is_right_and_a_broken_one_is_marked_at_its_place() -> None:
    async with YamlServer() as server:
        for path in SHIPPED:
            assert await server.diagnostics(path, text_of(path)) == [], path
        for number, (name, right, wrong, words) in enumerate(BROKEN):
            text = text_of(ROOT / name).replace(right, wrong, 1)
            found = shown(await server.diagnostics((ROOT / name).with_name(f"changed-{number}.yaml"), text))
            assert any(line == line_of(text, wrong) and words in message for line, message in found), (name, found)


# where somebody types in a file, after which words, and some of what an editor offers there
TYPED = [
    ("playbooks/restart-stuck-worker.yaml", "mode: ", {"off", "suggest", "approve", "auto"}),
    ("playbooks/restart-stuck-worker.yaml", "on_failure: ", {"declare", "page", "note"}),
    ("playbooks/restart-stuck-worker.yaml", "steps:\n  - ", {"name", "command", "http", "promql", "when", "register"}),
    ("playbooks/restart-stuck-worker.yaml", "verify:\n  ", {"promql", "http", "for", "within"}),
    ("playbooks/restart-stuck-worker_test.yaml", "outcome: ", {"verified", "failed", "verify_failed", "refused"}),
    ("playbooks/restart-stuck-worker_test.yaml", "    expect:\n      ", {"outcome", "ran", "skipped", "command"}),
]


@needs_server
@pytest.mark.slow
async def test_a_playbook_and_its_cases_are_completed_where_somebody_types() -> None:
    async with YamlServer() as server:
        for number, (name, words, offered) in enumerate(TYPED):
            text = text_of(ROOT / name)
            path = (ROOT / name).with_name(f"typed-{number}.yaml")
            before = text[: text.index(words) + len(words)]
            await server.diagnostics(path, before + "\n")
            found = await server.completions(path, before.count("\n"), len(before.rpartition("\n")[2]))
            assert offered <= found, (name, words, found)


@needs_server
@pytest.mark.slow
async def test_a_mapping_is_right_about_files_with_documents_of_several_kinds(tmp_path: Path) -> None:
    write(tmp_path)
    async with YamlServer({(tmp_path / "incidentd.json").as_uri(): "*.yaml"}) as server:
        for text in (text_of(DATA / "stories" / "hold.yaml"), *README):
            assert await server.diagnostics(tmp_path / f"{len(text)}.yaml", text) == []
        for name in ("decide-misspelled", "key-is-missing", "story-expects-unknown-word", "document-of-unknown-kind"):
            path = DATA / "broken" / f"{name}.yaml"
            expected = re.match(r"# line (\d+)", text_of(path))
            assert expected
            [(line, _)] = shown(await server.diagnostics(path, text_of(path)))
            assert line == int(expected[1]) - 1, name


@needs_server
@pytest.mark.slow
async def test_a_schema_that_was_printed_works_alone_and_is_about_the_document_that_names_it(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["schema", "rules"])
    (tmp_path / "rules.json").write_text(printed.output)
    wrong = "kind: rules\nrules: [{name: x, match: [], severity: sev3, decide: hodl}]\n"
    modeline = f"# yaml-language-server: $schema={tmp_path}/rules.json\n"
    async with YamlServer() as server:
        [(line, _)] = shown(await server.diagnostics(tmp_path / "a.yaml", modeline + wrong))
        assert line == 2
        found = await server.diagnostics(tmp_path / "b.yaml", f"{modeline}kind: rules\nrules: []\n---\n{wrong}")
        assert {line for line, _ in shown(found)} == {2}  # the second document has no modeline of its own


def test_the_schema_of_any_kind_knows_every_kind() -> None:
    any_kind = schema_of(ANY)
    assert tuple(any_kind["properties"]["kind"]["enum"]) == KINDS
    assert [it["if"]["properties"]["kind"]["const"] for it in any_kind["allOf"]] == list(KINDS)
    assert [it["then"] for it in any_kind["allOf"]] == [schema_of(kind) for kind in KINDS]


def test_every_schema_is_written_whole(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["schema", "--all", str(tmp_path / "schemas")])
    assert done.exit_code == 0, done.output
    written = sorted(path.name for path in (tmp_path / "schemas").iterdir())
    assert written == sorted(f"{name}.json" for name in NAMES)
    assert not any('"$ref"' in path.read_text() for path in (tmp_path / "schemas").iterdir())
    assert (SCHEMAS_DIR / "incidentd.json").exists()


@pytest.mark.parametrize("words", [("nothing",), (), ("rules", "--all", "x")])
def test_a_schema_that_is_not_there_is_said(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["schema", *words])
    assert done.exit_code == 2
    assert "kind" in done.stderr.lower()


def test_the_lock_of_the_server_names_no_hosts() -> None:
    text = (ROOT / "tests" / "editors" / "package-lock.json").read_text()
    assert "://" not in text
    assert text.count('"integrity": "sha512-') == text.count('"node_modules/')
