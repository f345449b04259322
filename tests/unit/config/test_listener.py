"""The file of --web.config.file: what it may say, and each mistake at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd import config
from incidentd.errors import ConfigError, Location, Problem
from incidentd.settings import ClientAuth, MinVersion, Settings
from tests.certificates import Authority
from tests.unit.config.trees import RULES, loaded, problems, written

SOURCE = "kind: config\nsources:\n  - name: prod\n    %s\n" + RULES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("listener")
    authority = Authority(made, "ca")
    authority.signs("ours", "DNS:localhost")
    (made / "text.pem").write_text("this is no certificate\n")
    return made


def read(folder: Path, text: str) -> Settings:
    (folder / "web.yml").write_text(text)
    return config.load(None, env={}, web=folder / "web.yml")


def wrong(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as refused:
        read(folder, text)
    return refused.value.problems


GIVEN = "client_auth_type: VerifyClientCertIfGiven"
PAIR = "cert_file: ca/ours.pem, key_file: ca/ours.key"


def test_the_listener_is_read_with_paths_from_the_files_folder(folder: Path) -> None:
    more = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca/ca.pem, min_version: TLS13"
    headers = "http_server_config: {http2: false, headers: {Strict-Transport-Security: max-age=9}}\n"
    web = read(folder, f"tls_server_config: {{{PAIR}, {more}}}\n{headers}").web

    assert web.tls is not None
    assert (web.tls.cert_file, web.tls.client_ca_file) == (folder / "ca/ours.pem", folder / "ca/ca.pem")
    assert (web.tls.client_auth, web.tls.min_version) == (ClientAuth.REQUIRED, MinVersion.TLS13)
    assert web.headers == {"Strict-Transport-Security": "max-age=9"}
    assert web.scheme == "https"


def test_a_file_with_other_contents_makes_other_settings(folder: Path) -> None:
    text = f"tls_server_config: {{{PAIR}}}"
    first = read(folder, text).web
    assert read(folder, text).web == first
    kept = (folder / "ca/ours.pem").read_bytes()
    (folder / "ca/ours.pem").write_bytes(kept + b"\n")
    assert read(folder, text).web != first
    (folder / "ca/ours.pem").write_bytes(kept)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("", 1, "the file is empty", "write one document"),
        ("{}\n---\n{}", 3, "holds a second document", "write one document"),
        ("- 1", 1, "this document must be a mapping", ""),
        ("tls_server_config:\n  cert_file: ca/ours.pem", 1, "`key_file` is missing", "add `key_file:`"),
        ("tls_server_config:\n  cert_file: no.pem\n  key_file: ca/ours.key", 2, "is not there", "give its path"),
        ("tls_server_config:\n  cert_file: text.pem\n  key_file: ca/ours.key", 2, "`cert_file` cannot", "PEM files"),
        ("tls_server_config:\n  cert_file: ca/ours.pem\n  key_file: ca/ca.key", 2, "key values mismatch", "PEM files"),
        (
            f"tls_server_config:\n  {{{PAIR},\n  {GIVEN},\n  client_ca_file: text.pem}}",
            4, "`client_ca_file` cannot be used", "PEM files",
        ),
        (f"tls_server_config: {{{PAIR}, {GIVEN}}}", 1, "`client_ca_file` is missing", ""),
        (f"tls_server_config: {{{PAIR},\n  client_ca_file: ca/ca.pem}}", 1, "no client is asked", "client_auth_type"),
        (f"tls_server_config: {{{PAIR},\n  client_auth_type: RequireAnyClientCert}}", 2, "proves nothing", "Verify"),
        (f"tls_server_config: {{{PAIR},\n  min_version: TLS10}}", 2, "one of TLS12, TLS13", ""),
        (f"tls_server_config: {{{PAIR},\n  cipher_suites: [x]}}", 2, "cannot be chosen here", "leave"),
        (f"tls_server_config: {{{PAIR},\n  client_allowed_sans: [x]}}", 2, "not supported", "client_certificate"),
        (f"tls_server_config: {{{PAIR},\n  key: x}}", 2, "is a secret", "`key_file`"),
        ("basic_auth_users: {ana: x}", 1, "tokens do this here", "incidentd token create"),
        ("rate_limit: {burst: 1}", 1, "sheds load by itself", "leave"),
        ("http_server_config: {http2: true}", 1, "HTTP/2 is not spoken", "leave"),
        ("http_server_config: {headers: {X-Other: a}}", 1, "unknown key `X-Other`", ""),
        ("tls_server: {}", 1, "unknown key `tls_server`", "tls_server_config"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_one_mistake_at_its_line(
    folder: Path, text: str, line: int, message: str, hint: str
) -> None:
    [problem] = wrong(folder, text)
    assert (problem.at.file, problem.at.line) == (str(folder / "web.yml"), line)
    assert message in problem.message
    assert hint in problem.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        config.load(None, env={}, web=tmp_path / "no.yml")


def test_mistakes_of_both_files_are_said_at_once(folder: Path) -> None:
    (folder / "web.yml").write_text("tls: {}")
    main = written(folder, {"incidentd.yaml": "kind: config\nlisten: 1\n" + RULES})
    with pytest.raises(ConfigError) as refused:
        config.load(main, env={}, web=folder / "web.yml")
    assert [Path(problem.at.file).name for problem in refused.value.problems] == ["incidentd.yaml", "web.yml"]


# -- what sources have of it -------------------------------------------------------------------------------------------


def test_a_source_may_want_certificates_and_signatures(tmp_path: Path) -> None:
    (tmp_path / "prod.secrets").write_text("one\ntwo\n")
    names = "client_certificate: {subject_alt_names: [am.example.org], common_names: [am]}"
    signing = "hmac: {secret_file: prod.secrets, header: X-Sign, timestamp_header: X-Time}"
    settings = loaded(tmp_path, SOURCE % f"{names}\n    {signing}")
    source = settings.sources["prod"]

    assert source.client_certificate is not None
    assert source.client_certificate.subject_alt_names == ("am.example.org",)
    assert source.signing is not None
    assert (source.signing.header, source.signing.timestamp_header) == ("X-Sign", "X-Time")
    assert [secret.reveal() for secret in source.signing.secrets] == ["one", "two"]
    assert set(source.signing.secrets) <= set(settings.secrets)


def test_grafanas_header_is_the_default(tmp_path: Path) -> None:
    source = loaded(tmp_path, SOURCE % "hmac: {secret_env: SIGN}", {"SIGN": "sesame"}).sources["prod"]
    assert source.signing is not None
    assert (source.signing.header, source.signing.timestamp_header) == ("X-Grafana-Alerting-Signature", "")


def test_certificates_that_nobody_is_asked_for_are_doubted(tmp_path: Path, folder: Path) -> None:
    main = written(tmp_path, {"incidentd.yaml": SOURCE % "client_certificate: {common_names: [am]}"})
    [warning] = config.load(main, env={}).warnings
    assert (warning.at.line, "--web.config.file" in warning.hint) == (4, True)
    tls = f"{PAIR}, {GIVEN}, client_ca_file: ca/ca.pem"
    (folder / "web.yml").write_text(f"tls_server_config: {{{tls}}}")
    assert config.load(main, env={}, web=folder / "web.yml").warnings == ()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("client_certificate: {}", "is empty"),
        ("client_certificate: {common_name: [am]}", "unknown key `common_name`"),
        ("hmac: {}", "the secret is missing or given twice"),
        ("hmac: {secret_env: A, secret_file: b}", "the secret is missing or given twice"),
        ("hmac: {secret: x}", "`secret` is a secret and may not stand here"),
        ("hmac: {secret_env: SIGN, header: 'X Y'}", "is 'X Y'"),
        ("hmac: {secret_env: SIGN, header: X-Sign, timestamp_header: x-sign}", "cannot carry the time as well"),
    ],
)
def test_a_source_with_half_a_proof_is_refused(tmp_path: Path, source: str, message: str) -> None:
    found = problems(tmp_path, SOURCE % source, {"SIGN": "sesame"})
    assert message in found[0].message
    assert found[0].at == Location(str(tmp_path / "incidentd.yaml"), 4, found[0].at.column)
