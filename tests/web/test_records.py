"""The records of an incident over the API: boards, versions, and what is refused."""

from __future__ import annotations

from tests.web.asking import Ask


async def test_a_board_says_what_is_due_next(ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "Checkout fails", "severity": "sev3"})
    task = {"text": "check", "owner": "ben", "box": "10m"}
    made = await ask("POST", "/api/v1/incidents/INC-1/tasks", json=task)
    assert (made.status, made.json["id"], made.json["state"]) == (201, "T1", "open")
    shown = (await ask("GET", "/api/v1/incidents/INC-1/board?role=OL")).json
    assert [(it["kind"], it["id"], it["at"]) for it in shown["due"] if it["kind"] != "page"] == [
        ("task", "T1", "2026-11-24T14:17:00Z"),
        ("summary", "INC-1", "2026-11-24T14:22:00Z"),
        ("role", "ic", None),
    ]
    assert [it["id"] for it in shown["tasks"]] == ["T1"]
    commanders = (await ask("GET", "/api/v1/incidents/INC-1/board?role=ic")).json
    assert commanders["unanswered"] == [] or commanders["unanswered"][0]["id"] == "PAGE-1"
    for odd in ("", "?role=boss", "?role=ic&role=ol", "?role=ic&x=1"):
        assert "one of ic, ol, cl" in (await ask("GET", f"/api/v1/incidents/INC-1/board{odd}")).error
    assert (await ask("GET", "/api/v1/incidents/INC-9/board?role=ic")).status == 404


async def test_a_change_of_an_older_version_is_refused_with_what_was_changed(ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "Checkout fails", "severity": "sev3"})
    root = "/api/v1/incidents/INC-1"
    await ask("POST", f"{root}/hypotheses", json={"text": "dns", "by": "ana"})
    await ask("POST", f"{root}/hypotheses/H1", json={"state": "refuted", "by": "ben"})
    late = await ask("POST", f"{root}/hypotheses/H1", json={"state": "supported", "expected_version": 1, "by": "ana"})
    assert late.status == 409
    assert "H1 of INC-1 was changed meanwhile (version 2): 14:07:00 UTC: ben: hypothesis H1 is refuted" in late.error
    ahead = await ask("POST", f"{root}/hypotheses/H1", json={"state": "open", "expected_version": 9})
    assert "has only 2 versions" in ahead.error
    found = (await ask("GET", f"{root}/records")).json
    assert found["hypotheses"][0]["version"] == 2
    assert found["blocks"]["identified"] == ["no hypothesis is marked supported (H1 is refuted)"]
    told = (await ask("GET", f"{root}/records/h1/history")).json["versions"]
    assert [it["record"]["state"] for it in told] == ["open", "refuted"]
    odd = await ask("POST", f"{root}/hypotheses/H1", json={"state": "maybe"})
    assert (odd.status, "maybe" in odd.error) == (400, True)


async def test_what_strangers_type_stays_words(ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "Checkout fails", "severity": "sev3"})
    root = "/api/v1/incidents/INC-1"
    odd = "<script>|\n\u0000## Timeline {key} \u202e"
    for path, fields in (
        ("sections/summary", {"text": odd}), ("hypotheses", {"text": odd, "evidence": odd}),
        ("decisions", {"text": odd, "options": odd}), ("changes", {"what": odd, "undo": odd}),
        ("exit-criteria", {"text": odd}), ("tasks", {"text": odd, "owner": "ben", "box": "5m"}),
    ):  # fmt: skip
        assert (await ask("POST", f"{root}/{path}", json=fields)).status in (200, 201), path
    page = (await ask("GET", f"{root}/document", headers={"Accept": "text/markdown"})).text
    assert page.count("\n## Timeline") == 1
    assert "<script>" not in page
    assert "Task T1 by" in page
