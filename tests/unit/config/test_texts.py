"""How channels and messages are set: templates, fallbacks, and how much a channel is sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from incidentd.messages import TEMPLATES, Style
from incidentd.messages.defaults import SHIPPED
from incidentd.oncall import Rate
from tests.unit.config.trees import RULES, loaded, problems

ENV = {"A": "json://127.0.0.1:9/a", "B": "json://127.0.0.1:9/b"}
CHANNELS = "kind: config\nchannels: {ops-chat: {kind: chat, url_env: A, limit: 5 in 10m}}\n"
PEOPLE = "---\nkind: people\npeople: {ana: {name: Ana, fallback_channel: %s, channels: {sms: {url_env: B}}}}\n"


def with_templates(folder: Path, **files: str) -> str:
    (folder / "texts").mkdir()
    for name, text in files.items():
        (folder / "texts" / name.replace("_", ".")).write_text(text)
    return "kind: config\ntemplates: texts\n" + RULES


def test_a_folder_of_templates_takes_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    text = with_templates(tmp_path, chat_txt="{{ what }}\n\n{{ asked }}\n")
    found = loaded(tmp_path, text).templates
    assert found[Style.CHAT] != TEMPLATES[Style.CHAT]
    assert found[Style.MAIL] == TEMPLATES[Style.MAIL]


def test_the_shipped_templates_can_be_written_down_and_changed(tmp_path: Path) -> None:
    text = with_templates(tmp_path, **{f"{style}_txt": shipped for style, shipped in SHIPPED.items()})
    assert loaded(tmp_path, text).templates == TEMPLATES


def test_every_mistake_of_a_template_is_said_with_its_file_and_line(tmp_path: Path) -> None:
    text = with_templates(
        tmp_path, chat_txt="{{ what }}\n\n{{ asked }}\n{{ whta }}\n", mail_txt="{{ what | round }}\n\nx\n"
    )
    found = {str(problem.at).rsplit("/", 1)[-1]: problem.message for problem in problems(tmp_path, text)}
    assert set(found) == {"chat.txt:4:1", "mail.txt:1:1"}
    assert "there is no `whta` in a message" in found["chat.txt:4:1"]
    assert "need a finite number" in found["mail.txt:1:1"]


def test_a_template_of_no_kind_and_a_folder_that_is_not_there_are_mistakes(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, with_templates(tmp_path, male_txt="x"))
    assert "there is no kind of message `male.txt`" in str(problem)
    [problem] = problems(tmp_path, "kind: config\ntemplates: nowhere\n" + RULES)
    assert "cannot be read" in str(problem)


def test_a_folder_without_a_template_is_doubted(tmp_path: Path) -> None:
    [warning] = loaded(tmp_path, with_templates(tmp_path)).warnings
    assert "has no template" in warning.message


def test_a_channel_says_how_much_it_is_sent_and_where_it_stands(tmp_path: Path) -> None:
    chat = loaded(tmp_path, CHANNELS + RULES, ENV).channels["ops-chat"]
    assert chat.rate == Rate(most=5, window=timedelta(minutes=10))
    assert chat.at is not None
    assert (chat.at.line, chat.at.file.endswith("incidentd.yaml")) == (2, True)
    assert problems(tmp_path, CHANNELS.replace("5 in 10m", "often") + RULES, ENV)


def test_a_fallback_is_a_kind_of_ones_own_channels_or_a_shared_channel(tmp_path: Path) -> None:
    settings = loaded(tmp_path, CHANNELS + "fallback_channel: ops-chat\n" + PEOPLE % "sms" + RULES, ENV)
    assert settings.fallback_channel == "ops-chat"
    assert settings.roster.people["ana"].fallback_channel == "ana/sms"
    settings = loaded(tmp_path, CHANNELS + PEOPLE % "ops-chat" + RULES, ENV)
    assert settings.roster.people["ana"].fallback_channel == "ops-chat"
    [problem] = problems(tmp_path, CHANNELS + PEOPLE % "ops-chta" + RULES, ENV)
    assert "there is no channel `ops-chta` (did you mean `ops-chat`?)" in str(problem)
    [problem] = problems(tmp_path, CHANNELS + "fallback_channel: mail\n" + RULES, ENV)
    assert "there is no channel `mail`" in str(problem)
