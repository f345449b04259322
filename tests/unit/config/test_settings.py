"""From documents to settings: every key, the defaults, and what is accepted but doubted."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from incidentd import config
from incidentd.errors import ConfigError, Location
from incidentd.holds import IN_FORCE, DeclareOn, HoldPolicy, OnFlap, ProgressQuery, ShortWindow
from incidentd.library import STANDARD
from incidentd.matchers import Matcher
from incidentd.oncall import ChannelKind, Hours, Layer, Target
from incidentd.playbooks import Limit, Limits, Mode
from incidentd.redaction import Secret
from incidentd.rules import CATCH_ALL, SEVERITIES
from incidentd.settings import (
    GraphSettings,
    HeartbeatSettings,
    OAuth2,
    PostmortemSettings,
    ReportSettings,
    Retention,
    Settings,
    Signing,
    Tls,
)
from incidentd.updates import CADENCES, Audience, Cadence
from tests.unit.config.trees import RULES, loaded, problems, written

COMPLETE = Path(__file__).parent / "complete.yaml"
BROKEN = Path(__file__).parents[2] / "data" / "broken"
ENV = {name: f"the-secret-of-{name}" for name in ("AM", "PROM", "TOKEN", "CHAT", "JIRA", "ANA_PUSH", "SWITCH", "HOOK")}


@pytest.fixture
def complete(tmp_path: Path) -> Settings:
    """Give the settings of a file with every key there is."""
    files = {"two-lines.token": "token-one\ntoken-two\n", "mail.url": "mailto://ops@example.org\n"}
    files["postmortem.md"] = COMPLETE.with_name("postmortem.md").read_text()
    return config.load(written(tmp_path, {"incidentd.yaml": COMPLETE.read_bytes(), **files}), env=ENV)


def revealed(secrets: tuple[Secret, ...]) -> list[str]:
    return [secret.reveal() for secret in secrets]


def test_the_configuration_itself_is_read(complete: Settings) -> None:
    assert (complete.listen, complete.external_url) == ("127.0.0.1:9720", "https://incidentd.example.org")
    assert complete.store == "sqlite:////var/lib/incidentd/incidentd.db"
    assert complete.secret_key_file == Path("/var/lib/incidentd/secret.key")
    assert complete.labels.names["team"] == ("team", "squad")
    assert complete.labels.names["service"] == ("service", "job")
    assert complete.automation.mode is Mode.AUTO
    assert complete.automation.overall == Limit(runs=10, window=timedelta(hours=2))
    assert complete.retention == Retention(
        closed=timedelta(days=200), alerts=timedelta(days=30), inbox=timedelta(days=2)
    )
    inside, outside = (complete.updates.audiences[it] for it in (Audience.INTERNAL, Audience.EXTERNAL))
    assert (inside.channels, inside.approval, inside.first_by_itself, inside.strict) == (
        ("ops-chat",),
        False,
        True,
        False,
    )
    assert (outside.channels, outside.approval, outside.first_by_itself, outside.strict) == (
        ("ops-mail",),
        True,
        False,
        True,
    )
    ten, twenty = timedelta(minutes=10), timedelta(minutes=20)
    assert inside.cadence("sev1") == Cadence(first=ten, then=twenty, long=twenty)
    assert inside.cadence("sev2") == CADENCES[Audience.INTERNAL]["sev2"]
    assert outside.cadence("sev2") == Cadence(
        first=timedelta(minutes=5), second=timedelta(minutes=3), then=timedelta(minutes=15), long=timedelta(hours=1)
    )
    assert complete.updates.services == {"checkout-api": "Checkout"}
    followed = complete.communication
    assert [it.channels for it in followed.routes] == [("ops-chat",), ("ops-chat", "ops-mail")]
    assert [matcher.name for it in followed.routes for matcher in it.match] == ["severity", "team", "rule"]
    assert (followed.interval, followed.lines, followed.holds) == (timedelta(minutes=1), 5, True)
    assert [kind for kind in ("incident.resolved", "task.done", "task.given", "notes") if followed.posts(kind)] == [
        "incident.resolved", "task.done",
    ]  # fmt: skip
    assert complete.graphs == GraphSettings(attach=False)
    assert complete.document.export == complete.files[0].parent / "documents"
    learned = complete.postmortems
    assert replace(learned, publish=None, announce=(), layout=STANDARD, layouts=()) == PostmortemSettings(
        required_for=("data_loss", "long"), long=timedelta(hours=2), business_days=7, approvals=3,
        review_for=timedelta(hours=48), manager="ana", leads=("ben",), remind=False,
    )  # fmt: skip
    dated = {name: (it.postmortem_within, it.postmortem_business_days) for name, it in complete.severities.items()}
    assert dated["sev1"] == (timedelta(days=2), None)
    assert dated["sev2"] == (None, 5)
    assert complete.report == ReportSettings(
        channels=("ops-mail",), weekday=4, at=time(16, 30), time_zone="Europe/Madrid", since=timedelta(days=14)
    )
    assert (learned.publish, learned.announce) == (complete.files[0].parent / "postmortems", ("ops-chat",))
    assert learned.layout_of("sev1", ["payments"]) == learned.layout_of("sev4", []) != STANDARD
    assert [(it.severity, it.team) for it in learned.layouts] == [("sev1", "payments")]
    assert complete.heartbeat == HeartbeatSettings(
        url=Secret(ENV["SWITCH"]), every=timedelta(seconds=30), channel="ops-chat"
    )
    assert complete.urgencies["business_critical"].respond_within == timedelta(minutes=3)
    assert set(complete.urgencies) == {"business_critical", "urgent", "ticket", "relaxed"}


def test_sources_are_read_and_one_called_default_is_always_there(complete: Settings, tmp_path: Path) -> None:
    prod = complete.sources["prod"]

    assert prod.alertmanager is not None
    assert prod.alertmanager.urls == ("http://am-0:9093", "http://am-1:9093")
    assert revealed(tuple(prod.alertmanager.http.headers.values())) == ["Bearer the-secret-of-AM"]
    assert prod.watchdog is not None
    assert (prod.watchdog.late_after, prod.watchdog.matches({"alertname": "Watchdog"})) == (timedelta(minutes=10), True)
    assert complete.sources["default"].alertmanager is None
    assert revealed(prod.tokens) == ["token-one", "token-two"]
    assert prod.signing == Signing(secrets=prod.tokens, header="X-Signature", timestamp_header="X-Sent")
    assert revealed(complete.sources["default"].tokens) == [ENV["TOKEN"]]
    assert list(loaded(tmp_path, "kind: config\nsources: [{name: prod}]\n" + RULES).sources) == ["default", "prod"]


def test_a_prometheus_is_asked_with_the_headers_that_its_http_config_comes_to(complete: Settings) -> None:
    prometheus = complete.sources["prod"].prometheus

    assert prometheus is not None
    sent = {**prometheus.headers, **prometheus.http.headers}
    assert {name: value.reveal() for name, value in sent.items()} == {
        "X-Scope-OrgID": "1.10",
        "Authorization": "Basic aW5jaWRlbnRkOnRoZS1zZWNyZXQtb2YtUFJPTQ==",
    }


@pytest.mark.parametrize(
    ("http_config", "expected"),
    [
        ("{authorization: {credentials_env: PROM}}", "Bearer the-secret-of-PROM"),
        ("{authorization: {type: Token, credentials_env: PROM}}", "Token the-secret-of-PROM"),
        ("{bearer_token_file: token}", "Bearer from-a-file"),
    ],
)
def test_every_way_to_sign_in_comes_to_one_header(tmp_path: Path, http_config: str, expected: str) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    source = f'{{name: prod, prometheus: {{url: "http://p:9090", http_config: {http_config}}}}}'
    prometheus = loaded(tmp_path, f"kind: config\nsources: [{source}]\n" + RULES, ENV).sources["prod"].prometheus

    assert prometheus is not None
    assert prometheus.http.headers["Authorization"].reveal() == expected


def test_the_rest_of_http_config_is_read_as_prometheus_has_it(tmp_path: Path) -> None:
    for name, text in {"secret": "sesame\n", "header": "from-a-file\n"}.items():
        (tmp_path / name).write_text(text)
    oauth2 = "{client_id: us, client_secret_file: secret, token_url: 'https://id.example.org/token', scopes: [a, b]}"
    headers = "{X-Tenant: {values: [a, b]}, X-Key: {files: [header]}}"
    http = f"{{oauth2: {oauth2}, http_headers: {headers}, tls_config: {{server_name: am.example.org}}}}"
    source = f'{{name: prod, alertmanager: {{urls: ["https://am:9093"], http_config: {http}}}}}'
    found = loaded(tmp_path, f"kind: config\nsources: [{source}]\n" + RULES).sources["prod"].alertmanager

    assert found is not None
    assert found.http.oauth2 == OAuth2(
        client_id="us", client_secret=Secret("sesame"), token_url="https://id.example.org/token", scopes=("a", "b")
    )
    assert {name: value.reveal() for name, value in found.http.headers.items()} == {
        "X-Tenant": "a, b", "X-Key": "from-a-file",
    }  # fmt: skip
    assert found.http.tls == Tls(server_name="am.example.org")


def test_jira_is_read_with_its_fields_as_they_stand_and_the_projects_of_teams(complete: Settings) -> None:
    jira = complete.jira

    assert jira is not None
    assert (jira.url, jira.user, jira.project, jira.issue_type, jira.epic) == (
        "https://example.atlassian.net", "bot@example.org", "OPS", "Bug", "OPS-100",
    )  # fmt: skip
    assert jira.token.reveal() == ENV["JIRA"]
    assert jira.fields == {"customfield_10020": 7, "build": 1.5, "on": True}
    assert jira.projects == {"payments": "PAY"}
    assert jira.issue_types == {"repair": "Bug", "automate": "Story"}
    assert (jira.priorities, jira.service_field) == ({"P0": "Blocker"}, "components")
    assert jira.webhook_secret is not None
    assert jira.webhook_secret.reveal() == ENV["HOOK"]


def test_people_have_channels_named_after_them(complete: Settings) -> None:
    ana, ben = complete.roster.people.values()

    assert [(channel.name, channel.kind) for channel in ana.channels] == [
        ("ana/push", ChannelKind.PUSH),
        ("ana/mail", ChannelKind.MAIL),
    ]
    assert (ana.role, ana.time_zone, ana.jira) == ("commander", "Europe/Madrid", "ana.ruiz")
    assert (ben.role, ben.time_zone, ben.channels) == ("responder", "UTC", ())
    assert {"ops-chat", "ops-mail", "ana/push", "ana/mail"} == set(complete.all_channels())


def test_the_daemons_own_log_is_a_channel_without_an_address(tmp_path: Path) -> None:
    text = "kind: config\nchannels: {quiet: {kind: log}}\n" + RULES

    assert loaded(tmp_path, text).channels["quiet"].kind is ChannelKind.LOG
    assert problems(tmp_path, text.replace("kind: log", "kind: log, url_env: CHAT"), ENV) == ()


def test_schedules_are_read_in_wall_clock_time_and_overrides_as_instants(complete: Settings) -> None:
    schedule = complete.roster.schedules["payments"]
    [override] = schedule.overrides

    assert schedule.layers[0] == Layer(
        name="primary", people=("ana", "ben"), turn=timedelta(days=7), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 1, 5),
    )  # fmt: skip
    assert (schedule.layers[1].turn, schedule.layers[1].handoff_weekday) == (timedelta(days=2), None)
    assert schedule.layers[1].time_zone == "Australia/Sydney"
    assert schedule.layers[1].hours == (Hours(days=(0, 4), start=time(20), end=time(8)),)
    assert (schedule.cover, schedule.horizon, schedule.rollout_immediate) == (("ben",), timedelta(weeks=6), False)
    [shadow] = schedule.shadows
    assert (shadow.person, shadow.of, shadow.reverse, shadow.delay) == ("ben", "ana", True, timedelta(minutes=3))
    assert [(day.year, day.month, day.day, day.start) for day in schedule.sites["ana"].holidays] == [
        (0, 12, 25, time(0)), (2026, 12, 24, time(13)),
    ]  # fmt: skip
    assert override.start == datetime(2026, 12, 24, 8, tzinfo=UTC)
    assert schedule.fallback == Target(team="payments")


def test_a_gap_is_named_from_now_on_and_one_that_is_over_is_none() -> None:
    said = {}
    for now in (None, datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2027, 3, 29, 19, 30, tzinfo=UTC)):
        with pytest.raises(ConfigError, match="nobody is on call for") as refused:
            config.load(BROKEN / "schedule-with-a-gap.yaml", env={}, now=now)
        said[now and now.year] = str(refused.value)
    assert "the first is 2026-03-29 19:00 to 2026-03-29 20:00 (UTC)" in said[None]
    assert "the first is 2027-03-28 19:00 to 2027-03-28 20:00 (UTC)" in said[2026]
    assert "the first is 2027-03-29 19:30 to 2027-03-29 20:00 (UTC)" in said[2027]


def test_an_urgency_that_is_misspelt_is_never_advised(tmp_path: Path) -> None:
    text = (BROKEN / "rule-without-a-chain-for-its-urgency.yaml").read_text()
    chain = "{levels: [{after: 0m, page: {team: '*'}}]}"
    wrong = problems(tmp_path, text.replace("{urgent:", f"{{urgnt: {chain}, ticket:"))
    assert sorted(one.hint for one in wrong) == [
        "add one, or give the rule an urgency of ticket", "did you mean `urgent`?",
    ]  # fmt: skip


def test_an_override_at_a_change_of_the_clock_leaves_no_gap(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, "kind: config\n" + RULES + "---\nkind: people\npeople: {ana: {name: Ana}}\n"
        "---\nkind: schedules\nschedules:\n  s:\n    time_zone: Europe/Madrid\n"
        "    layers: [{name: l, people: [ana], turn: 1d, handoff: 09:00, from: 2026-01-05}]\n"
        "    overrides:\n"
        "      - {person: ana, from: '2026-10-25 02:30', until: '2026-10-25 02:30'}\n"
        "      - {person: ana, from: '2026-03-29T02:30', until: '2026-03-29T03:30'}\n",
    )  # fmt: skip
    autumn, spring = settings.roster.schedules["s"].overrides

    assert (autumn.start.hour, autumn.end.hour) == (0, 1)  # both 02:30s of that night: an hour between them
    assert (spring.start.hour, spring.start.minute) == (1, 0)  # 02:30 does not exist; 03:00 is the first after it


def test_escalations_are_read_with_their_channels_in_order_of_time(complete: Settings) -> None:
    chain = complete.escalations["payments"].chains["business_critical"]

    assert [level.after for level in chain.levels] == [timedelta(minutes=minutes) for minutes in (0, 5, 10)]
    assert chain.levels[0].by == (
        (timedelta(0), (ChannelKind.PUSH, ChannelKind.CHAT, ChannelKind.MAIL)),
        (timedelta(minutes=1), (ChannelKind.SMS,)),
    )
    assert chain.levels[1].page == Target(on_call="payments", previous=True)
    assert chain.loops == 3
    assert chain.exhausted is not None
    assert chain.exhausted.page == Target(channel="ops-chat")


def test_a_policy_called_default_exists_without_being_written(complete: Settings) -> None:
    policy = complete.escalations["default"]

    assert set(policy.chains) == {"business_critical", "urgent", "relaxed"}
    assert [(level.after, level.page) for level in policy.chains["urgent"].levels] == [
        (timedelta(0), Target(on_call="payments")),
        (timedelta(minutes=30), Target(on_call="payments", previous=True)),
        (timedelta(minutes=45), Target(person="ben")),
    ]
    first = policy.chains["business_critical"].levels[0]
    assert [(offset / first.by[1][0], [str(kind) for kind in kinds]) for offset, kinds in first.by] == [
        (0, ["push", "chat", "mail"]), (1, ["sms"]), (2, ["call"]), (3, ["call"]), (4, ["call"]),
    ]  # fmt: skip
    assert [chain.loops for chain in policy.chains.values()] == [3, 3, 3]


def test_without_any_schedule_the_default_policy_pages_everybody_at_once() -> None:
    chain = config.defaults({}).escalations["default"].chains["business_critical"]

    assert [level.page for level in chain.levels] == [Target(team="*")]
    assert chain.exhausted is not None
    assert chain.exhausted.every == timedelta(minutes=5)


def test_without_any_file_the_settings_are_the_built_in_ones() -> None:
    settings = config.defaults({})

    assert settings.rules == (CATCH_ALL,)
    assert settings.severities == SEVERITIES
    assert (settings.files, settings.warnings, settings.secrets) == ((), (), ())


def test_rules_take_what_they_do_not_say_from_their_file_and_then_from_their_severity(complete: Settings) -> None:
    bleeding, lag, last = complete.rules

    assert bleeding.match == (Matcher("severity", "=", "critical"), Matcher("service", "=~", "checkout|payments"))
    assert (bleeding.urgency, lag.urgency) == ("business_critical", "urgent")
    assert bleeding.hold == HoldPolicy(
        no_progress_after=timedelta(minutes=25), hard_cap=timedelta(minutes=50), quiet=timedelta(minutes=4),
        at=f"{bleeding.at.file}:{bleeding.at.line}",
    )  # fmt: skip
    assert lag.hold == HoldPolicy(
        no_progress_after=timedelta(minutes=20), hard_cap=timedelta(minutes=50), quiet=timedelta(minutes=4),
        alerts_down=0.3, human_notes=1, query=ProgressQuery(promql="max(queue_depth)"),
        at=f"{lag.at.file}:{lag.at.line}",
        declare_on=frozenset({DeclareOn.SEVERITY_RAISED, DeclareOn.GROWING, DeclareOn.ACK_MISSED}),
    )  # fmt: skip
    assert last.hold.declare_on == IN_FORCE
    lines = COMPLETE.read_text().splitlines()
    assert (last.name, lines[last.at.line - 1].strip()[:13]) == ("1.10", "- {name: 1.10")


@pytest.mark.parametrize(
    ("rule", "wait"),
    [
        ("severity: sev3, urgency: urgent", 30), ("severity: sev4, urgency: ticket", 60),
        ("severity: sev1, urgency: urgent", 0), ("severity: sev2, urgency: ticket", 0),
        ("severity: sev2, urgency: urgent, hold: {no_progress_after: 10m}", 10),
    ],
)  # fmt: skip
def test_how_long_a_rule_waits_that_does_not_say_it(tmp_path: Path, rule: str, wait: int) -> None:
    settings = loaded(
        tmp_path, f"kind: config\n---\nkind: rules\nrules: [{{name: x, match: [], decide: hold, {rule}}}]\n"
    )
    doubts = [warning for warning in settings.warnings if "waits for nothing" in warning.message]

    assert settings.rules[0].hold.no_progress_after == timedelta(minutes=wait)
    assert len(doubts) == (wait == 0)


def test_every_key_of_a_hold_reaches_its_policy(tmp_path: Path) -> None:
    hold = """hold: {progress: {
      query: {promql: 'time_to_full{disk="{{ labels.disk }}"}', better: higher, by: 10%, every: 1m},
      slo: {promql: 'burn:5m', is: "< 14.4", every: 15s}},
      flapping: {times: 4, within: 1h, shortest: 30s}, on_flap: ticket, growing: {times: 2.5}}"""
    rules = RULES.replace("[{", "[{match: [], name: x, severity: sev3, urgency: urgent, decide: hold, page: default, "
                          + hold + "}, {", 1).partition("}, {name")[0] + "}]\n"  # fmt: skip
    policy = loaded(tmp_path, "kind: config\n" + rules).rules[0].hold

    assert policy.query == ProgressQuery(
        promql='time_to_full{disk="{{ labels.disk }}"}', higher=True, by=0.1, every=timedelta(minutes=1)
    )
    assert policy.slo == ShortWindow(promql="burn:5m", condition="< 14.4", every=timedelta(seconds=15))
    assert (policy.flaps, policy.flap_window, policy.flap_shortest) == (4, timedelta(hours=1), timedelta(seconds=30))
    assert (policy.on_flap, policy.growth) == (OnFlap.TICKET, 2.5)


def test_a_rule_without_urgency_has_that_of_its_severity(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "kind: config\n" + RULES.replace("sev3", "sev1"))

    assert settings.rules[-1].urgency == "business_critical"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sev3: {due: 3d}", ["sev1", "sev2", "sev3", "sev4"]),
        ("sev0: {means: x, urgency: urgent}, sev1: {}", ["sev0", "sev1", "sev2", "sev3", "sev4"]),
        ("sev4: {}, sev5: {means: x, urgency: ticket}", ["sev1", "sev2", "sev3", "sev4", "sev5"]),
        ("sev2: {}, sev2b: {means: x, urgency: urgent}, sev3: {}", ["sev1", "sev2", "sev2b", "sev3", "sev4"]),
        ("sev4: {}, sev1: {}", ["sev4", "sev1", "sev2", "sev3"]),
        ("bad: {means: x, urgency: urgent}, sev3x: {means: y, urgency: ticket}", ["bad", "sev3x"]),
    ],
)
def test_severities_keep_the_order_of_the_file_and_change_extend_or_replace_the_built_in_ones(
    tmp_path: Path, written: str, expected: list[str]
) -> None:
    severity = expected[0]
    rules = RULES.replace("sev3", severity).replace("page", "urgency: urgent, page")
    settings = loaded(tmp_path, f"kind: config\nseverities: {{{written}}}\n{rules}")

    assert list(settings.severities) == expected
    assert [one.rank for one in settings.severities.values()] == list(range(1, len(expected) + 1))


def test_playbooks_are_read(complete: Settings) -> None:
    playbook = complete.playbooks["restart"]
    before, restart, tell = playbook.steps

    assert (playbook.mode, playbook.risk, playbook.manual_minutes) == (Mode.AUTO, "low", 12)
    assert playbook.limits == Limits(
        per_target=Limit(runs=1, window=timedelta(minutes=20)), total=Limit(runs=2, window=timedelta(minutes=5)),
        alert_age=timedelta(minutes=3),
    )  # fmt: skip
    assert (before.kind, before.register) == ("promql", "before")
    assert restart.args == ["restart", "{{ inputs.instance }}", "1.10", "{{ before.value }}"]
    assert (restart.timeout, restart.idempotent, restart.ignore_errors) == (timedelta(seconds=30), True, True)
    assert (tell.args["expect"], tell.retries, tell.delay) == (
        {"status": [200, 204], "body": "ok"},
        5,
        timedelta(seconds=3),
    )
    assert playbook.verify is not None
    assert (playbook.verify.hold_for, playbook.verify.every) == (timedelta(minutes=2), timedelta(seconds=20))
    assert playbook.rollback[0].args == ["undo", "{{ inputs.instance }}"]


def test_a_frozen_copy_of_a_playbook_reads_back_the_same(complete: Settings) -> None:
    playbook = complete.playbooks["restart"]

    assert config.playbook_from(playbook.source, playbook.at) == playbook


def test_a_frozen_copy_that_is_no_playbook_any_more_is_refused_at_its_place() -> None:
    with pytest.raises(ConfigError) as refused:
        config.playbook_from({"kind": "playbook", "name": "x", "later": 1}, Location("(frozen in RUN-7)", 1))

    assert {str(problem.at) for problem in refused.value.problems} == {"(frozen in RUN-7):1:1"}
    assert "unknown key `later`" in str(refused.value)


def test_a_case_of_a_playbook_is_read_with_every_try(complete: Settings) -> None:
    [case] = complete.cases
    assert (case.name, case.playbook, case.labels["shard"]) == ("heals", "restart", "2")
    assert [one.status for one in case.given["tell"]] == [503, 204]
    assert case.expected.command == {"restart": ("restart", "w-3", "1.10", "812")}
    assert [warning.message.split("`")[1] for warning in complete.warnings] == [
        "sev0", "ben", "primary", "nights",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("""match: ["severity='critical'"], decide: hold, page: default""", "only double quotes"),
        ("""match: ['a="b"'], decide: declare""", "the rule `x` pages nobody"),
        ("""match: ['a="b"'], decide: ticket, page: default""", "ticket pages nobody"),
    ],
)
def test_what_is_probably_not_meant_so_is_doubted(tmp_path: Path, rule: str, words: str) -> None:
    rules = RULES.replace("[{", "[{name: x, severity: sev3, " + rule + "}, {", 1)
    [warning] = loaded(tmp_path, "kind: config\n" + rules).warnings

    assert words in warning.message


def test_every_secret_is_known_for_redaction_and_none_shows_itself(complete: Settings, tmp_path: Path) -> None:
    known = revealed(complete.secrets)

    assert set(ENV.values()) | {"token-one", "token-two", "mailto://ops@example.org"} <= set(known)
    assert not [secret for secret in known if secret in repr(complete)]


def test_a_mistake_never_shows_a_secret(tmp_path: Path) -> None:
    text = "kind: config\njira: {url: https://j.example.org, token_env: JIRA, project: O P}\nlisten: x\n"

    assert not [problem for problem in problems(tmp_path, text, ENV) if ENV["JIRA"] in str(problem)]
