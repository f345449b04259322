"""T17 with a real Alertmanager: it delivers over TLS, with each way to sign in that it has."""

from __future__ import annotations

import asyncio
import signal
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.certificates import Authority, Pair
from tests.system.daemon import Daemon, RealAlertmanager, until
from tests.web.small_house import bearer

CONFIG = """
kind: config
include: []
sources:
  - {name: certified, client_certificate: {subject_alt_names: [am.example.org]}}
  - {name: tokened, token_file: tokens}
---
kind: rules
rules: [{name: everything, match: [], severity: sev4, decide: record}]
"""
WEB = """
tls_server_config:
  cert_file: cert.pem
  key_file: cert.key
  client_auth_type: VerifyClientCertIfGiven
  client_ca_file: authority/authority.pem
"""
OLD, NEW = "the-old-secret-of-prod", "the-new-secret-of-prod"
pytestmark = [pytest.mark.slow, pytest.mark.needs("alertmanager")]


class SecureDaemon(Daemon):
    """The daemon with TLS; whoever asks it here trusts the authority."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        super().__init__(folder, session, CONFIG)
        self.url = self.url.replace("http://", "https://")
        self.options = ("--web.config.file", str(folder / "web.yml"))

    def use(self, pair: Pair) -> None:
        (self.folder / "cert.pem").write_bytes(pair.cert.read_bytes())
        (self.folder / "cert.key").write_bytes(pair.key.read_bytes())

    async def certificate(self, authority: Authority) -> int:
        """Give the serial number of what it shows to whoever comes now."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=authority.client())
        shown = int(writer.get_extra_info("peercert")["serialNumber"], 16)
        writer.close()
        with suppress(ConnectionError):  # a daemon that is busy may have let go of it by now
            await writer.wait_closed()
        return shown

    async def metric(self, name: str) -> float:
        lines = (await self.text("/metrics")).splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def hook(daemon: Daemon, source: str, folder: Path, **signing_in: Any) -> dict[str, Any]:
    tls = {"ca_file": str(folder / "authority/authority.pem"), **signing_in.pop("tls", {})}
    url = f"{daemon.url}/api/v1/alertmanager/{source}"
    return {"url": url, "send_resolved": True, "http_config": {"tls_config": tls, **signing_in}}


async def test_t17_a_real_alertmanager_delivers_with_certificate_basic_bearer_and_token(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "web.yml").write_text(WEB)
    (tmp_path / "tokens").write_text(f"{OLD}\n{NEW}\n")
    client, stranger = authority.signs("am", "DNS:am.example.org"), authority.signs("other", "DNS:other.example.org")
    connector = aiohttp.TCPConnector(ssl=authority.client())
    async with aiohttp.ClientSession(connector=connector) as secure:
        daemon = SecureDaemon(tmp_path, secure)
        daemon.use(authority.signs("first", "IP:127.0.0.1"))
        both = [{"cert_file": str(pair.cert), "key_file": str(pair.key)} for pair in (client, stranger)]
        ways = {
            "mtls": hook(daemon, "certified", tmp_path, tls=both[0]),
            "basic": hook(daemon, "tokened", tmp_path, basic_auth={"username": "am", "password": OLD}),
            "bearer": hook(daemon, "tokened", tmp_path, authorization={"credentials": NEW}),
            "token": hook(daemon, "tokened", tmp_path, authorization={"type": "Token", "credentials": NEW}),
            "stranger": hook(daemon, "certified", tmp_path, tls=both[1]),
            "nothing": hook(daemon, "tokened", tmp_path),
            "wrong": hook(daemon, "tokened", tmp_path, authorization={"credentials": "wrong-" + NEW}),
        }
        receivers = [{"name": "incidentd"}, *({"name": name, "webhook_configs": [way]} for name, way in ways.items())]
        routes = [{"receiver": name, "matchers": [f'alertname="{name}"']} for name in ways]
        route = {"receiver": "incidentd", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
        alertmanager = RealAlertmanager(
            tmp_path, session, "", receivers=receivers, route={**route, "routes": routes}
        )  # fmt: skip
        try:
            await daemon.start()
            await alertmanager.start()
            began = datetime.now(UTC)
            await alertmanager.post(*({"alertname": name} for name in ways), began=began)

            async def refused() -> bool:
                text = await daemon.text("/metrics")
                return 'incidentd_webhook_requests_total{result="unauthorized"} 3.0' in text

            async def known() -> bool:
                found = {one["labels"]["alertname"] for one in (await daemon.get("alerts"))["alerts"]}
                assert found <= {"mtls", "basic", "bearer", "token"}
                return len(found) == 4

            await until(known)
            await until(refused)
            said = daemon.log + await daemon.text("/metrics") + (tmp_path / "alertmanager.log").read_text()
            assert not [secret for secret in (OLD, NEW) if secret in said]
        finally:
            await alertmanager.stop()
            await daemon.stop()


async def test_t17_a_reload_takes_a_new_certificate_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "web.yml").write_text(WEB)
    (tmp_path / "tokens").write_text(f"{NEW}\n")
    connector = aiohttp.TCPConnector(ssl=authority.client())
    async with aiohttp.ClientSession(connector=connector) as secure:
        daemon = SecureDaemon(tmp_path, secure)
        daemon.use(authority.signs("first", "IP:127.0.0.1"))
        await daemon.start()
        try:
            first = await daemon.certificate(authority)
            ends = await daemon.metric("incidentd_tls_certificate_expiry_timestamp_seconds")
            assert 0 < ends - datetime.now(UTC).timestamp() < 3 * 86400

            (tmp_path / "cert.pem").write_text("this is no certificate\n")
            async with secure.post(f"{daemon.url}/-/reload") as answer:
                assert answer.status == 500
                assert "web.yml:3:14: `cert_file` cannot be used" in await answer.text()
            (tmp_path / "web.yml").write_text("http_server_config: {}")
            async with secure.post(f"{daemon.url}/-/reload") as answer:
                assert "at a start only" in await answer.text()
            assert await daemon.certificate(authority) == first

            (tmp_path / "web.yml").write_text(WEB)
            daemon.use(authority.signs("second", "IP:127.0.0.1"))
            assert daemon.process is not None
            daemon.process.send_signal(signal.SIGHUP)

            async def is_new() -> bool:
                try:
                    return await daemon.certificate(authority) != first
                except ConnectionError:  # a handshake that is under way at a change is let go of, to begin anew
                    return False

            await until(is_new)
            plain = daemon.url.replace("https", "http")
            with pytest.raises((ConnectionError, ssl.SSLError, aiohttp.ClientError)):
                await secure.post(f"{plain}/api/v1/alertmanager/tokened", headers=bearer(NEW))
        finally:
            assert await daemon.stop() == 0
