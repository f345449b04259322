"""Writes docs/playbooks.md, the tutorial beside this and a reference from the schemas: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidentd import config
from incidentd.config.shape import schema_of
from incidentd.guards import GUARDS
from incidentd.templates import FILTERS

PAGE = Path(__file__).parents[2] / "docs" / "playbooks.md"
TUTORIAL = Path(__file__).with_name("playbooks_tutorial.md")
EXAMPLE = PAGE.parents[1] / "deploy" / "example" / "incidentd.yaml"

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
    "incident": "another incident about the same service is active: then whoever leads its operations is asked instead",
}

FILTER = {
    "default": "`{{ inputs.zone | default('a') }}`: what stands there when the value is not known",
    "int": "a number without what is behind the point",
    "lower": "small letters",
    "replace": "`{{ inputs.name | replace('.', '-') }}`",
    "round": "a number with so many digits behind the point: `{{ free.value | round(2) }}`",
    "trim": "without the spaces round it",
    "upper": "capital letters",
    "urlencode": "percent-encoded, for a form in a body; values in a `url` are that by themselves",
}

FORMAT = {
    "template": "words with `{{ NAME }}` in them (see above)",
    "regex": "a pattern of RE2, for the whole of a value unless its row says otherwise",
    "prometheus-duration": "`30s`, `5m`, `1h30m`, `1d`; `0s` is nothing",
    "positive-duration": "the same, longer than nothing",
    "limit": "at most so many in any window of this length: `2 in 30m`",
    "condition": "`> 0`, `>= 1e9`, `== 0`, `!= 1`",
    "step-condition": '`free.value > 1e9`, `out.stdout == "active"`, `out.stdout =~ "web-.*"`, `up.ok`, `not up.ok`',
}
"""By format of the schema, how such a text is written."""

WORDS = {
    "object": "mapping", "array": "list", "string": "text", "integer": "whole number", "boolean": "true or false",
}  # fmt: skip


def page() -> str:
    """Write the page."""
    return (
        TUTORIAL.read_text(encoding="utf-8") + "\n".join([*_shipped(), *_guards(), *_templates(), *_reference()]) + "\n"
    )


def _templates() -> Iterator[str]:
    yield from (
        "", "## What templates name", "",
        "A template is a text with `{{ }}` in it. It knows `inputs.NAME`; of each step before that registers one,",
        "`REGISTER.KEY`; and `item` inside a `for_each`. `target` and `domain` may name `labels.NAME`, too. There is",
        "no arithmetic and no condition in it, and a name that is not there fails the step. Filters may follow a name:",
        "", "| Filter | It gives |", "|---|---|",
    )  # fmt: skip
    yield from (f"| `{name}` | {_cell(FILTER[name])} |" for name in sorted(FILTERS))
    yield from ("", "How other values are written:", "", "| In the tables below | Write |", "|---|---|")
    yield from (f"| {name} | {_cell(words)} |" for name, words in FORMAT.items())


def _shipped() -> Iterator[str]:
    books = sorted(config.load(EXAMPLE, env={}).playbooks.values(), key=lambda book: book.name)
    yield from (
        "", "## Those that are shipped", "",
        "They stand in the folder `playbooks`, each with its cases, and `deploy/example/incidentd.yaml` includes them.",
        "Copy one, and change its names and commands to yours. What is `off` says in its first lines what it needs.",
        "",
        "| Playbook | Mode | What it does |", "|---|---|---|",
    )  # fmt: skip
    yield from (f"| `{book.name}` | `{book.mode}` | {book.title} |" for book in books)


def _guards() -> Iterator[str]:
    yield from (
        "", "## Guards", "",
        "All are on from the start. The first that refuses decides; its reason stands on the timeline, and the refusal",
        "is counted in `incidentd_playbook_guard_denials_total`; a person is paged as if there were no playbook.",
        "When more than 5 runs are refused within 10m for an escalation policy and urgency, one **summary page**",
        "begins: ten seconds later it says how many runs of which playbook each guard refused, why, and the first",
        "targets. The pages of holds that are refused while it calls [join it](escalation.md#summary-pages) and send",
        "nothing of their own.",
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
    automation = schema_of("config")["properties"]["automation"]["properties"]
    yield from _table("Keys of `automation` of the configuration", automation, [])
    promote = book["properties"]["promote"]
    yield from _table("Keys of `promote`", promote["properties"], promote["required"])
    yield from _table("Keys of `limits`", book["properties"]["limits"]["properties"], [])
    yield from _table("Keys of a step", step["properties"], step["required"])
    for key in ("http", "promql", "alertmanager", "ticket", "approve", "notify", "playbook", "for_each"):
        inner = step["properties"][key]
        yield from _table(f"Keys of `{key}`", inner["properties"], inner.get("required", []))
    expect = step["properties"]["http"]["properties"]["expect"]
    yield from _table("Keys of `expect` of `http`", expect["properties"], [])
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
        yield f"| `{name}`{needed} | {_value(one)} | {_cell(str(one.get('description', '')))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _value(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    types = schema.get("type", "")
    kind = " or ".join(types) if isinstance(types, list) else types
    for name, word in WORDS.items():
        kind = kind.replace(name, word)
    return f"{kind}: {schema['format']}" if "format" in schema else kind


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
