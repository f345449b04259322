"""The page of notifications: its templates are the shipped ones, its words and limits those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from incidentd import config
from incidentd.messages.defaults import CHAT, MAIL, SHORT
from incidentd.messages.templating import WORDS
from incidentd.metrics import families
from incidentd.oncall import RATES, ChannelKind

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()


def test_the_templates_on_the_page_are_the_shipped_ones() -> None:
    assert re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) == [MAIL, SHORT]
    assert MAIL.replace("What: {{ what }}\n", "").replace("How bad: {{", "{{") == CHAT


def test_the_page_explains_every_word_of_a_template() -> None:
    table = PAGE.partition("| Name | What it is |\n|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", table, re.MULTILINE) == list(WORDS.items())


def test_the_page_names_the_limits_and_metrics_that_there_are() -> None:
    for kind, rate in RATES.items():
        row = next(line for line in PAGE.splitlines() if re.match(rf"\| .*`{kind}`", line))
        assert f"| {rate.most} in {int(rate.window.total_seconds() // 60)}m |" in row
    assert {family.name for family in families()} >= set(re.findall(r"`(incidentd_[a-z_]+)`", PAGE))
    assert set(RATES) == set(ChannelKind) - {ChannelKind.LOG}


def test_the_files_on_the_page_can_be_loaded(tmp_path: Path) -> None:
    [files] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "short.txt").write_text(SHORT)
    (tmp_path / "secrets").mkdir()
    for name in ("ops-mail", "ana-push", "ana-sms"):
        (tmp_path / "secrets" / f"{name}.url").write_text("json://127.0.0.1:9/x\n")
    (tmp_path / "incidentd.yaml").write_text(files)
    settings = config.load(tmp_path / "incidentd.yaml", env={"OPS_CHAT_URL": "json://127.0.0.1:9/y"})
    assert settings.roster.people["ana"].fallback_channel == "ana/sms"
    assert settings.fallback_channel == "ops-mail"
