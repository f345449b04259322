"""The schemas: valid themselves, understood by editors, and every format in them is checked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from incidentd import config
from incidentd.config import shape
from tests.unit.config.trees import RULES, problems

FILES = sorted(config.SCHEMAS_DIR.glob("*.json"))


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Give every schema inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from parts(part)
    if isinstance(schema, list):
        for part in schema:
            yield from parts(part)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_schema_is_valid_and_every_reference_leads_somewhere(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    for part in parts(schema):
        file, _, name = part.get("$ref", "").partition("#/$defs/")

        assert not name or name in json.loads((path.parent / (file or path.name)).read_text(encoding="utf-8"))["$defs"]


def test_there_is_a_schema_for_each_kind() -> None:
    assert {path.stem for path in FILES} == {*config.KINDS, "common", shape.ANY, shape.WEB}


@pytest.mark.parametrize("kind", config.KINDS)
def test_every_format_in_a_schema_is_one_that_is_checked(kind: str) -> None:
    formats = {part["format"] for part in parts(shape.schema_of(kind)) if isinstance(part.get("format"), str)}

    assert formats <= set(shape.FORMATS)


@pytest.mark.parametrize("kind", config.KINDS)
def test_every_mapping_with_named_keys_refuses_unknown_ones(kind: str) -> None:
    named = [part for part in parts(shape.schema_of(kind)) if part.get("type") == "object" and "properties" in part]

    assert all(part.get("additionalProperties") is False for part in named)


@pytest.mark.parametrize("kind", config.KINDS)
def test_what_has_no_words_of_its_own_says_them_in_the_schema(kind: str) -> None:
    for part in parts(shape.schema_of(kind)):
        if isinstance(part.get("pattern"), str):
            assert part["patternErrorMessage"]
        if any(word in part for word in ("oneOf", "dependentRequired", "maxProperties")):
            assert part["errorMessage"]


def test_a_number_stays_as_it_is_written_where_text_is_wanted(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "kind: config\nsources: [{name: 1.10}, {name: 1.10}]\n" + RULES)

    assert problem.message == "there are two sources `1.10`"


def test_a_name_with_a_line_break_at_its_end_is_no_name(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, 'kind: config\nsources: [{name: "prod\\n"}]\n' + RULES)

    assert "a name is at most 64" in problem.hint
