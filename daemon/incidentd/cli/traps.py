"""`check --alertmanager`: a running Alertmanager asked for its configuration, and the traps in it."""

from __future__ import annotations

import asyncio

import aiohttp
import click

from incidentd import app
from incidentd.alertmanager import Alertmanager, Status
from incidentd.config.proof import slow_news
from incidentd.config.traps import group_interval, traps
from incidentd.errors import IncidentdError
from incidentd.settings import AlertmanagerSettings, Settings


def warn_of_traps(settings: Settings, url: str, receiver: str) -> None:
    """Print each trap. Raises click.ClickException when that Alertmanager gives no answer."""
    try:
        status = asyncio.run(_status(_how_to_ask(settings, url)))
        found = traps(status.configuration, receiver)
        interval = group_interval(status.configuration, receiver)
    except (IncidentdError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    for trap in found:
        click.echo(f"{url}: warning: {trap}", err=True)
    slow = slow_news(settings.rules, interval, url) if interval is not None else []
    for rule, message, hint in slow:
        click.echo(f"{rule.at}: warning: {message} ({hint})", err=True)
    end = "no traps" if not found else f"{len(found)} {'trap' if len(found) == 1 else 'traps'}"
    click.echo(f"{url}: Alertmanager {status.version}: {end}")


def _how_to_ask(settings: Settings, url: str) -> AlertmanagerSettings:
    """Ask one of the configuration as it says there, and any other plainly."""
    url = url.rstrip("/")
    for source in settings.sources.values():
        if source.alertmanager is not None and url in source.alertmanager.urls:
            return AlertmanagerSettings(urls=(url,), http=source.alertmanager.http)
    return AlertmanagerSettings(urls=(url,))


async def _status(settings: AlertmanagerSettings) -> Status:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        return await Alertmanager(settings, session, now=app.system_clock()).status()
