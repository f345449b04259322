"""Graphs of incidents at the API and in the console."""

from __future__ import annotations

from incidentd.engine import commands
from incidentd.store import graphs
from incidentd.store.graphs import Drawing
from incidentd.timeline import Actor
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, insert_hold

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"><title>lag &gt; 30</title></svg>\n'
BROWSER = {"Accept": "text/html"}


async def drawn(house: SmallHouse) -> None:
    ana = Actor(name="ana", via="api")
    await house.store.write(
        commands.declare_incident, house.settings, actor=ana, title="Slow", severity="sev2", page="default"
    )
    await house.store.write(graphs.save, "INC-1", {2: Drawing(title='lag > "30"', svg=PICTURE)})


async def test_graphs_are_listed_with_the_addresses_of_their_pictures(house: SmallHouse, ask: Ask) -> None:
    await drawn(house)
    answer = await ask("GET", "/api/v1/incidents/INC-1/graphs")
    [found] = answer.json["graphs"]
    assert found["title"] == 'lag > "30"'
    assert found["url"].endswith("/incidents/INC-1/graphs/2")

    picture = await ask("GET", "/incidents/INC-1/graphs/2")
    assert picture.text == PICTURE
    assert picture.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert "default-src 'none'" in picture.headers["Content-Security-Policy"]


async def test_the_page_of_an_incident_shows_them_and_may_load_them(house: SmallHouse, ask: Ask) -> None:
    await drawn(house)
    page = await ask("GET", "/incidents/INC-1", headers=BROWSER)
    assert '<img src="../incidents/INC-1/graphs/2" alt="lag &gt; &#34;30&#34;" width="760">' in page.text
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]


async def test_a_hold_has_them_as_well(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    assert (await ask("GET", "/api/v1/holds/HOLD-1/graphs")).json == {"graphs": []}
    await house.store.write(graphs.save, "HOLD-1", {1: Drawing(title='lag > "30"', svg=PICTURE)})
    [found] = (await ask("GET", "/api/v1/holds/HOLD-1/graphs")).json["graphs"]
    assert found["url"].endswith("/holds/HOLD-1/graphs/1")
    assert (await ask("GET", "/holds/HOLD-1/graphs/1")).text == PICTURE
    page = await ask("GET", "/holds/HOLD-1", headers=BROWSER)
    assert '<img src="../holds/HOLD-1/graphs/1" alt="lag &gt; &#34;30&#34;" width="760">' in page.text
    for path in ("/holds/HOLD-1/graphs/9", "/holds/HOLD-9/graphs/1", "/api/v1/holds/HOLD-9/graphs"):
        assert (await ask("GET", path)).status == 404


async def test_a_graph_that_is_not_there_is_not_found(house: SmallHouse, ask: Ask) -> None:
    await drawn(house)
    for path in ("/incidents/INC-1/graphs/9", "/incidents/INC-7/graphs/2", "/api/v1/incidents/INC-7/graphs"):
        assert (await ask("GET", path)).status == 404
    assert (await ask("GET", "/incidents/INC-1/graphs/2.svg")).status == 404
