"""The library at the front door: search, tags, published copies; who may do what, and hostile words on pages."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from incidentd.engine import commands, publishing, shelving
from incidentd.incidents import Incident
from incidentd.store import Tx, subjects
from incidentd.timeline import Actor
from tests.unit.markdown_checks import HOSTILE
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, bearer

ANA = Actor(name="ana", via="api")
TEXT = (
    "---\nincident: INC-1\n---\n\n# Checkout fails\n\nThe connection pool was <b>too small</b>.\n\n"
    "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
)
SEARCH = "/api/v1/postmortems/search"


async def declared(house: SmallHouse, title: str = "Checkout fails") -> Incident:
    made = await house.store.write(
        commands.declare_incident, house.settings, actor=ANA, title=title, severity="sev1"
    )  # fmt: skip
    return await house.store.read(subjects.get_incident, made.id)


async def publish(house: SmallHouse, it: Incident, text: str = TEXT, version: int = 1) -> None:
    def unit(tx: Tx) -> None:
        publishing.published(tx, house.settings, it, version, text, tx.now)

    await house.store.write(unit)


async def test_tags_of_what_is_not_published_are_for_responders(house: SmallHouse, ask: Ask) -> None:
    await publish(house, await declared(house))
    draft = await declared(house, "A secret")
    await house.store.write(lambda tx: shelving.draft(tx, draft, TEXT))
    await house.store.write(shelving.tag, house.settings, 1, actor=ANA, add=["cause:network"])
    await house.store.write(shelving.tag, house.settings, 2, actor=ANA, add=["cause:secret"])
    viewer, responder = await house.token("viewer"), await house.token("responder")
    path = "/api/v1/postmortems/tags"
    seen = {
        who: [(it["tag"], it["postmortems"]) for it in (await ask("GET", path, headers=bearer(token))).json["tags"]]
        for who, token in (("viewer", viewer), ("responder", responder))
    }
    assert seen == {
        "viewer": [("cause", 1), ("cause:network", 1)],
        "responder": [("cause", 2), ("cause:network", 1), ("cause:secret", 1)],
    }
    for token in (viewer, responder):
        shown = (await ask("GET", "/postmortems/published", headers=bearer(token))).text
        assert ("cause (1)" in shown, "secret" in shown) == (True, False), "the page shows what is published only"


async def test_what_is_published_is_found_by_words_and_tags(house: SmallHouse, ask: Ask) -> None:
    it = await declared(house)
    assert (await ask("GET", f"{SEARCH}?q=pool")).json == {"postmortems": []}
    await publish(house, it)
    done = await ask("POST", "/api/v1/incidents/INC-1/postmortem/tags", json={"add": ["Cause:Network:switch"]})
    assert done.json == {"incident": "INC-1", "tags": ["cause:network:switch"]}
    [found] = (await ask("GET", f"{SEARCH}?q=conn+pool&tag=cause:network&limit=3")).json["postmortems"]
    assert {**found, "snippet": "".join(part["text"] for part in found["snippet"])} == {
        "incident": "INC-1", "state": "published", "version": 1, "title": "Checkout fails", "severity": "sev1",
        "service": "", "tags": ["cause:network:switch"], "at": "2026-11-24T14:07:00Z",
        "snippet": "Checkout fails The connection pool was <b>too small</b>. a · b 1 · 2",
    }  # fmt: skip
    assert [part["text"] for part in found["snippet"] if part["found"]] == ["connection", "pool"]
    assert (await ask("GET", f"{SEARCH}?q=pool&tag=cause:networks")).json == {"postmortems": []}
    assert (await ask("GET", "/api/v1/postmortems/tags")).json["tags"][0] == {"tag": "cause", "postmortems": 1}
    gone = await ask("POST", "/api/v1/incidents/INC-1/postmortem/tags", json={"remove": ["cause:network:switch"]})
    assert gone.json["tags"] == []
    [tagged, taken] = [
        row.text for row in await house.store.read(_entries) if row.kind == "postmortem.tagged"
    ]  # fmt: skip
    assert (tagged, taken) == ("local tags it cause:network:switch.", "local takes cause:network:switch away.")


def _entries(tx: Tx) -> Any:
    from incidentd.store import chain

    return chain.entries(tx, "INC-1")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"add": ["no tag"]}, "is no tag"), ({"add": ["a"], "remove": ["a"]}, "added and removed"),
        ({}, "nothing changes"), ({"remove": ["a"]}, "nothing changes"), ({"add": "a"}, "the body is a JSON object"),
        ({"add": [f"t{n}" for n in range(21)]}, "20 are the most"),
    ],
)  # fmt: skip
async def test_tags_that_cannot_be_are_refused(house: SmallHouse, ask: Ask, body: Any, said: str) -> None:
    await declared(house)
    assert said in (await ask("POST", "/api/v1/incidents/INC-1/postmortem/tags", json=body)).error


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("what=x", "there is no parameter 'what'"), ("q=a&q=b", "may be given once"), ("limit=0", "from 1 to 50"),
        ("limit=x", "from 1 to 50"), ("state=odd", "there is no state 'odd'"), ("tag=a%20b", "is no tag"),
        ("&".join(["tag=a"] * 11), "10 tags are the most"),
    ],
)  # fmt: skip
async def test_a_search_that_cannot_be_is_refused(house: SmallHouse, ask: Ask, query: str, said: str) -> None:
    answer = await ask("GET", f"{SEARCH}?{query}")
    assert (answer.status, said in answer.error) == (400, True)


async def test_drafts_are_found_by_responders_who_ask_for_them_and_never_by_viewers(
    house: SmallHouse, ask: Ask
) -> None:
    it = await declared(house)
    await house.store.write(shelving.draft, it, TEXT)
    viewer, responder = [bearer(await house.token(scope)) for scope in ("viewer", "responder")]
    assert (await ask("GET", f"{SEARCH}?q=pool", headers=viewer)).json == {"postmortems": []}
    assert (await ask("GET", f"{SEARCH}?q=pool", headers=responder)).json == {"postmortems": []}
    refused = await ask("GET", f"{SEARCH}?q=pool&state=all", headers=viewer)
    assert (refused.status, "drafts are found by responders" in refused.error) == (403, True)
    for state in ("all", "draft"):
        found = await ask("GET", f"{SEARCH}?q=pool&state={state}", headers=responder)
        assert [one["state"] for one in found.json["postmortems"]] == ["draft"]
    assert "INC-1" not in (await ask("GET", "/postmortems/published?q=pool", headers=viewer)).text
    await publish(house, it)
    found = await ask("GET", f"{SEARCH}?q=pool&state=all", headers=responder)
    assert [one["state"] for one in found.json["postmortems"]] == ["published"], "a draft is there no more"


async def test_a_copy_is_read_and_its_readers_are_counted_once(house: SmallHouse, ask: Ask) -> None:
    it = await declared(house)
    missing = await ask("GET", "/api/v1/postmortems/published/INC-1")
    assert (missing.status, missing.error) == (404, "no postmortem of INC-1 is published")
    await publish(house, it)
    await publish(house, it, TEXT + "\nCorrected.\n", version=2)
    ana, ben = [bearer(await house.token("viewer", name=name)) for name in ("ana", "ben")]
    path = "/api/v1/postmortems/published/INC-1"
    assert (await ask("GET", path, headers=ana)).text == TEXT + "\nCorrected.\n"
    assert (await ask("GET", f"{path}?version=1", headers=ana)).text == TEXT
    assert "published are 1, 2" in (await ask("GET", f"{path}?version=3", headers=ana)).error
    assert (await ask("GET", f"{path}?version=x", headers=ana)).status == 400
    done = [(await ask("POST", f"{path}/read", headers=who)).json for who in (ana, ben, ana)]
    assert done[-1] == {"incident": "INC-1", "version": 2, "readers": 2}
    known = (await ask("GET", path, headers={**ana, "Accept": "application/json"})).json
    assert (known["readers"], known["versions"], known["version"]) == (2, [1, 2], 2)
    listed = (await ask("GET", "/api/v1/postmortems/published", headers=ana)).json["postmortems"]
    assert [(one["incident"], one["version"], one["versions"]) for one in listed] == [("INC-1", 2, [1, 2])]
    pressed = await ask("POST", "/postmortems/published/INC-1/read", headers=ben)
    assert (pressed.status, pressed.headers["Location"]) == (303, "../INC-1")
    assert (await ask("POST", "/postmortems/published/INC-2/read", headers=ben)).status == 404


async def test_looking_counts_nobody_and_changes_nothing(house: SmallHouse, ask: Ask) -> None:
    await publish(house, await declared(house))
    for _ in range(3):
        assert "read by 0 people" in (await ask("GET", "/postmortems/published/INC-1")).text


async def test_the_pages_show_what_is_published(house: SmallHouse, ask: Ask) -> None:
    assert "Nothing is published yet." in (await ask("GET", "/postmortems/published")).text
    it = await declared(house)
    await publish(house, it)
    await ask("POST", "/api/v1/incidents/INC-1/postmortem/tags", json={"add": ["cause:network"]})
    page = (await ask("GET", "/postmortems/published?q=pool&tag=cause")).text
    assert '<a href="published/INC-1">INC-1</a> Checkout fails' in page
    assert "<mark>pool</mark> was &lt;b&gt;too small" in page
    assert 'href="published?tag=cause%3Anetwork"' in page or 'href="published?tag=cause:network"' in page
    assert "has all of these" in (await ask("GET", "/postmortems/published?q=nowhere")).text
    shown = (await ask("GET", "/postmortems/published/INC-1")).text
    assert "<h1>Checkout fails</h1>" in shown
    assert "was &lt;b&gt;too small" in shown
    assert "<td>1</td>" in shown
    assert "incident: INC-1" not in shown, "the head is for machines"
    assert (await ask("GET", "/postmortems/published?what=1")).status == 400


async def test_the_graphs_of_the_incident_are_shown_and_nothing_is_fetched_from_elsewhere(
    house: SmallHouse, ask: Ask
) -> None:
    text = (
        "# T\n\n![Graph 1](https://incidentd.example.org/incidents/INC-1/graphs/1)\n\n"
        "![x](https://evil.example/x.png) ![y](https://incidentd.example.org/incidents/INC-2/graphs/1)\n"
    )
    await publish(house, await declared(house), text)
    page = (await ask("GET", "/postmortems/published/INC-1")).text
    assert re.findall(r"<img[^>]*>", page) == ['<img src="../../incidents/INC-1/graphs/1" alt="Graph 1">']


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.seen |= {f"on: {name}" for name, _ in attrs if name.startswith("on") or name == "style"}
        self.seen |= {f"leads: {value}" for name, value in attrs if name in ("href", "src") and ":" in (value or "")}


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_strangers_words_do_nothing_on_a_page(house: SmallHouse, ask: Ask, value: str) -> None:
    it = replace(await declared(house), title=value, service=value)
    text = f"# {value}\n\n{value}\n\n- {value}\n\n| a |\n| --- |\n| {value} |\n\n[{value}]({value})\n"
    text += f"\n![{value}]({value}) <{value}>\n"
    await publish(house, it, text.encode("utf-8", "replace").decode().replace("\0", ""))
    for path in ("/postmortems/published", "/postmortems/published?q=a", "/postmortems/published/INC-1"):
        look = Tags()
        look.feed((await ask("GET", path)).text)
        assert not look.seen & {"script", "iframe", "object", "svg", "style"}
        assert not [one for one in look.seen if one.startswith("on: ")]
        leads = [one.removeprefix("leads: ") for one in look.seen if one.startswith("leads: ")]
        assert all(one.startswith(("http://", "https://", "published?tag=")) for one in leads), leads
