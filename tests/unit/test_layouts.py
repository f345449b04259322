"""Layouts of a team's own: what they say, what they lack, and where a mistake is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from incidentd.library import STANDARD, BadLayout, read_layout
from incidentd.postmortem import check, draft, missing_in
from incidentd.settings import OwnLayout, PostmortemSettings
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import HOSTILE
from tests.unit.markdown_checks import check as is_inert

OWN = (Path(__file__).parent / "config" / "postmortem.md").read_text()
CONFIG = "kind: config\npostmortems:\n  template: mine.md\n"


def test_a_layout_of_ones_own_has_sections_of_ones_own_and_passes_the_same_checks() -> None:
    layout = read_layout(OWN)
    page = draft(story.STORY, owner="ana", due=None, layout=layout)
    assert missing_in(layout) == []
    assert "# INC-12 (sev2): Mail queue grows\n" in page
    assert "## What the pager cost us\n" in page
    usual = {it.rule for it in check(draft(story.STORY, owner="ana", due=None))}
    assert {it.rule for it in check(page)} == usual


def test_the_standard_layout_lacks_nothing_and_an_empty_one_lacks_all() -> None:
    assert missing_in(STANDARD) == []
    assert missing_in(read_layout(""))[:2] == ["head", "Date and people"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("# {{ titel }}", (1, 6), "there is no `titel` in a postmortem; there are head"),
        ("\n\nx {{ timeline }}", (3, 6), "`timeline` is a section: write {{ timeline }} on a line of its own"),
        ("x\n{% if a %}", (2, 1), "no template"), ("{{ title.x() }}", (1, 1), ""), ("{{ title", (1, 1), "no template"),
        ("{{ ''.__class__ }}", (1, 1), ""), ("{{ 'a' * 10000000 }}", (1, 1), ""),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(text: str, place: tuple[int, int], said: str) -> None:
    with pytest.raises(BadLayout) as caught:
        read_layout(f"x\n{text}" if text.startswith("\n") else text)
    assert (caught.value.line - text.startswith("\n"), caught.value.column) == place or text.startswith("\n")
    assert said in str(caught.value)


@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_put_in_is_never_read_as_a_template(value: str) -> None:
    page = draft(story.hostile(value), owner=value, due=None, layout=read_layout(OWN))
    is_inert(page.replace("_how many hours of sleep_", ""))
    assert "49" not in page.split("\n# ")[1].split("\n")[0] or "49" in value


def test_the_first_layout_that_fits_counts() -> None:
    one, two = read_layout("one"), read_layout("two")
    own = (OwnLayout(layout=one, severity="sev1", team="shop"), OwnLayout(layout=two, team="shop"))
    settings = PostmortemSettings(layouts=own)
    assert settings.layout_of("sev1", ["mail", "shop"]) == one
    assert settings.layout_of("sev2", ["shop"]) == two
    assert settings.layout_of("sev1", ["mail"]) == STANDARD
    assert replace(settings, layout=two).layout_of("sev1", []) == two


def checked(folder: Path, template: str | None, config: str = CONFIG) -> Result:
    (folder / "incidentd.yaml").write_text(config)
    if template is not None:
        (folder / "mine.md").write_text(template)
    return CliRunner().invoke(main, ["check", str(folder / "incidentd.yaml")])


def test_check_says_what_is_wrong_with_a_template_and_where(tmp_path: Path) -> None:
    assert checked(tmp_path, OWN).exit_code == 0
    wrong = checked(tmp_path, OWN.replace("{{ title }}", "{{ titel }}"))
    assert (wrong.exit_code, f"{tmp_path}/mine.md:3:39: " in wrong.output) == (2, True), wrong.output
    lacking = checked(tmp_path, OWN.replace("## Timeline", "## When"))
    assert "mine.md:57:1: it lacks the section `Timeline`" in lacking.output, lacking.output
    headless = checked(tmp_path, OWN.replace("{{ head }}", ""))
    assert "it does not begin with {{ head }}" in headless.output
    (tmp_path / "mine.md").unlink()
    missing = checked(tmp_path, None)
    assert "incidentd.yaml:3:13: the template" in missing.output
    assert "cannot be read (no such file or directory)" in missing.output
    unknown = checked(tmp_path, OWN, CONFIG + "  templates:\n    - {file: mine.md, severity: sev9}\n")
    assert "incidentd.yaml:5:33: there is no severity `sev9`" in unknown.output, unknown.output
