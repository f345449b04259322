"""The shipped set: it is right, it is what it says, and no change to it makes a traceback."""

import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd import config
from incidentd.config.shape import schema_of
from incidentd.errors import ConfigError
from incidentd.playbooks import Mode
from incidentd.rules import Decide, Facts, Neighbours
from incidentd.triage import book_of, triage
from tests.unit.config.trees import EXAMPLE, ROOT

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SHIPPED = [*sorted(EXAMPLE.parent.glob("*.yaml")), *sorted((ROOT / "rules").glob("*.yaml"))]
SHIPPED += sorted((ROOT / "playbooks").glob("*.yaml"))
TOKENS = [
    *[
        "",
        " ",
        "\n",
        "  ",
        "- ",
        ":",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "#",
        "|",
        "\t",
        "\0",
        "\x1b",
        "é",
        "\ud83d",
        "..",
        "/",
    ],
    *[
        "&a ",
        "*a",
        "!!int ",
        "<<: ",
        "---\n",
        "null",
        "true",
        "-1",
        "1.10",
        "0x1f",
        "1e999",
        "9" * 400,
        "kind: rules\n",
        "~",
    ],
    *[
        "{{ x }}",
        "{{ labels.a }}",
        "{% if %}",
        "> 0",
        "0s",
        "100y",
        "999999999d",
        "(?=x)",
        "(",
        "default",
        "*/*",
        'a=~"("',
    ],
]


def test_the_shipped_set_loads_without_a_warning() -> None:
    settings = config.load(EXAMPLE, env={})

    assert settings.warnings == ()
    assert {path.resolve() for path in SHIPPED} == set(settings.files)
    assert settings.rules[-1].match == ()


@pytest.mark.parametrize(
    ("labels", "rule", "decide"),
    [
        ("severity=critical env=prod service=checkout", "checkout-bleeding", Decide.DECLARE),
        ("severity=warning env=prod service=payments", "checkout-degraded", Decide.HOLD),
        ("alertname=WorkerStuck env=prod instance=w-3", "worker-stuck", Decide.HOLD),
        ("severity=warning env=prod service=checkout customer_visible=true", "customers-call", Decide.DECLARE),
        ("alertname=QueueLagHigh env=prod severity=warning", "queue-lag", Decide.HOLD),
        ("alertname=CertificateExpiry severity=warning", "certificate-expires-soon", Decide.TICKET),
        ("alertname=NodeDown severity=critical env=prod", "production-critical", Decide.HOLD),
        ("alertname=Watchdog severity=none", "always-firing", Decide.RECORD),
        ("severity=info env=prod", "for-information", Decide.RECORD),
        ("severity=critical env=staging", "not-production", Decide.TICKET),
        ("severity=warning env=prod service=mail", "warnings", Decide.TICKET),
        ("alertname=NobodyThoughtOfThis", "everything-else", Decide.HOLD),
    ],
)
def test_the_shipped_rules_decide_as_their_comments_say(labels: str, rule: str, decide: Decide) -> None:
    settings = config.load(EXAMPLE, env={})
    decision = triage(
        dict(pair.split("=") for pair in labels.split()), {}, book_of(settings, NOW),
        Facts(now=NOW, neighbours=Neighbours([], settings.labels)),
    )  # fmt: skip

    assert (decision.rule, decision.decide) == (rule, decide)


def test_the_shipped_playbook_that_acts_by_itself_is_verified() -> None:
    playbooks = config.load(EXAMPLE, env={}).playbooks

    assert [name for name, one in playbooks.items() if one.mode is Mode.AUTO] == ["restart-stuck-worker"]
    assert playbooks["restart-stuck-worker"].verify is not None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_points_editors_at_the_schema_of_its_kind(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    kind = re.search(r"^kind: (\w+)$", text, re.MULTILINE)

    assert modeline
    assert kind
    assert (path.parent / modeline[1]).resolve() == config.SCHEMAS_DIR / f"{kind[1]}.json"
    assert schema_of(kind[1])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of everything that is shipped, to change at will."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("deploy/example", "rules", "playbooks"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.slow
@given(data=st.data())
def test_a_changed_file_is_read_or_refused_and_never_a_traceback(copy: Path, data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(SHIPPED))
    changed = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(changed))), data.draw(st.integers(0, 30))
        changed[at : at + length] = data.draw(st.sampled_from(TOKENS)).encode("utf-8", "surrogatepass")
    path = copy / original.relative_to(ROOT)
    path.write_bytes(changed)
    try:
        with suppress(ConfigError):
            config.load(copy / "deploy" / "example" / "incidentd.yaml", env={})
    finally:
        path.write_bytes(original.read_bytes())
