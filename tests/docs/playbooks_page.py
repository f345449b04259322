"""Writes docs/playbooks.md, the tutorial beside this and a reference from the schemas: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidentd.config.shape import schema_of
from incidentd.guards import GUARDS

PAGE = Path(__file__).parents[2] / "docs" / "playbooks.md"
TUTORIAL = Path(__file__).with_name("playbooks_tutorial.md")

MEANING = {
    "switch": "somebody switched the playbook off, or every one (`incidentd playbook disable`)",
    "mode": "automation or the playbook is `off`",
    "approval": "the mode or a high risk wants a person's approval, and nobody gave it",
    "protected": "the target matches a pattern of `automation.protected`",
    "still_firing": "the alert does not fire any more",
    "alert_age": "the alert began longer ago than `limits.alert_age` (10m)",
    "one_at_a_time": "another run, of whichever playbook, is on the target",
    "alerting": "more alerts of the same name fire than `limits.alerting` (30 %) of the `fleet`, and more than one",
    "loop": "the alert is back within 30m of a run that was believed, for the second time",
    "stopped": "the last two runs of this version failed their verification; 24h or a change of the file lets it go on",
    "canary": "it is under way on another target, and no run of this version proved itself within the last hour",
    "domain": "it is under way in another failure domain (`domain`)",
    "share": "it began on `limits.share` (10 %) of the `fleet` within 1h; one target always may be",
    "per_target": "it ran on the target as often as `limits.per_target` allows (2 in 30m)",
    "total": "it ran as often as `limits.total` allows (3 in 10m)",
    "overall": "all playbooks together ran as often as `automation.overall` allows (20 in 1h)",
    "cool_down": "a run on the target ended less than `limits.cool_down` (5m) ago",
}

WORDS = {
    "object": "mapping", "array": "list", "string": "text", "integer": "whole number", "boolean": "true or false",
}  # fmt: skip


def page() -> str:
    """Write the page."""
    return TUTORIAL.read_text(encoding="utf-8") + "\n".join([*_guards(), *_reference()]) + "\n"


def _guards() -> Iterator[str]:
    yield from (
        "", "## Guards", "",
        "All are on from the start. The first that refuses decides; its reason stands on the timeline, and the refusal",
        "is counted in `incidentd_playbook_guard_denials_total`; a person is paged as if there were no playbook.",
        "",
        "| Guard | It refuses when |", "|---|---|",
    )  # fmt: skip
    yield from (f"| `{guard}` | {MEANING[guard]} |" for guard in GUARDS)


def _reference() -> Iterator[str]:
    book = schema_of("playbook")
    step = book["properties"]["steps"]["items"]
    case = schema_of("playbook_test")["properties"]["cases"]["items"]["properties"]
    yield from _table("Keys of a playbook", book["properties"], book["required"])
    yield from _table(
        "Keys of an input", book["properties"]["inputs"]["additionalProperties"]["properties"], ["pattern"]
    )
    yield from _table("Keys of `limits`", book["properties"]["limits"]["properties"], [])
    yield from _table("Keys of a step", step["properties"], step["required"])
    for key in ("http", "promql", "alertmanager", "approve", "notify", "playbook", "for_each"):
        inner = step["properties"][key]
        yield from _table(f"Keys of `{key}`", inner["properties"], inner.get("required", []))
    yield from _table(
        "Keys of `who` of `approve`", step["properties"]["approve"]["properties"]["who"]["properties"], []
    )
    yield from _table("Keys of `verify`", book["properties"]["verify"]["properties"], ["within"])
    yield from _table("Keys of what a case is given", case["given"]["additionalProperties"]["properties"], [])
    yield from _table("Keys of what a case expects", case["expect"]["properties"], [])


def _table(title: str, properties: dict[str, Any], required: list[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "| Key | Value | Meaning |", "|---|---|---|")
    for name, one in properties.items():
        needed = " (needed)" if name in required else ""
        meaning = str(one.get("description", "")).replace("|", "\\|")
        yield f"| `{name}`{needed} | {_value(one)} | {meaning} |"


def _value(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    types = schema.get("type", "")
    kind = " or ".join(types) if isinstance(types, list) else types
    words = {
        "object": "mapping",
        "array": "list",
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
    }
    for name, word in words.items():
        kind = kind.replace(name, word)
    return f"{kind}: {schema['format']}" if "format" in schema else kind


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
