"""The page about hold tells what the engine does: its story, its picture, its defaults."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from incidentd.durations import format_duration
from incidentd.holds import DeclareOn, HoldPolicy
from tests.docs import hold_story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> hold_story.Story:
    return asyncio.run(hold_story.tell(tmp_path_factory.mktemp("story")))


def test_the_story_is_what_the_engine_tells(story: hold_story.Story) -> None:
    text = hold_story.PAGE.read_text()

    assert text == hold_story.page(text, story), "run `make docs`"


def test_the_picture_is_drawn_from_the_same_story(story: hold_story.Story) -> None:
    text = hold_story.PICTURE.read_text()

    assert text == hold_story.picture(story), "run `make docs`"
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own
    assert "![" in hold_story.PAGE.read_text()
    assert Path(hold_story.PICTURE).name in hold_story.PAGE.read_text()


def test_the_defaults_are_those_of_the_code() -> None:
    page, built_in = hold_story.PAGE.read_text(), HoldPolicy()

    for key, value in (
        ("no_progress_after", format_duration(built_in.no_progress_after)),
        ("hard_cap", "1h"), ("quiet", format_duration(built_in.quiet)), ("progress.human_notes", "2"),
        ("progress.alerts_down", "20%"), ("flapping.times", str(built_in.flaps)), ("growing.times", "3"),
        ("flapping.within", format_duration(built_in.flap_window)), ("on_flap", built_in.on_flap.value),
    ):  # fmt: skip
        assert f"| `{key}` | {value}" in page, key
    for signal in DeclareOn:
        assert f"`{signal.value}`" in page
