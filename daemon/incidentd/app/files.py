"""What the daemon is told: the command line, and the operator's files."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from incidentd import config
from incidentd.app.clock import system_clock
from incidentd.errors import ConfigError, Location, Problem
from incidentd.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; it wins over the files."""

    config_file: Path | None = None
    web_config_file: Path | None = None
    listen: str = ""
    external_url: str = ""
    store: str = ""


def load(options: Options) -> Settings:
    """Read the operator's files, and let the command line win. Raises ConfigError with every mistake in them."""
    settings = config.load(options.config_file, env=os.environ, web=options.web_config_file, now=system_clock()())
    settings = replace(
        settings, listen=options.listen or settings.listen, store=options.store or settings.store,
        external_url=(options.external_url or settings.external_url).rstrip("/"),
    )  # fmt: skip
    if settings.external_url:
        return settings
    return replace(settings, external_url=f"{settings.web.scheme}://{settings.listen}")


def reloaded(options: Options, before: Settings) -> Settings:
    """Read the files anew; what only a start can change stays as it was. Raises ConfigError."""
    settings = load(options)
    if bool(settings.web.tls) != bool(before.web.tls):
        at = Location(str(options.web_config_file), 1)
        what = "TLS is switched on and off at a start only, and not by a reload"
        raise ConfigError([Problem(at, what, "restart incidentd, or take the change back")])
    return replace(settings, listen=before.listen, store=before.store)


def summary(settings: Settings) -> str:
    """Say in one line what the files hold."""
    roster = settings.roster
    return (
        f"{len(settings.rules)} rules, {len(settings.playbooks)} playbooks, {len(roster.people)} people, "
        f"{len(roster.schedules)} schedules, {len(settings.escalations)} escalation policies, "
        f"sources {', '.join(settings.sources)}"
    )
