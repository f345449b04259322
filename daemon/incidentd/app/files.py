"""What the daemon is told: the command line, and the operator's files."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from incidentd import config
from incidentd.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; it wins over the files."""

    config_file: Path | None = None
    listen: str = ""
    external_url: str = ""
    store: str = ""


def load(options: Options) -> Settings:
    """Read the operator's files, and let the command line win. Raises ConfigError with every mistake in them."""
    file = options.config_file
    settings = config.load(file, env=os.environ) if file else config.defaults(os.environ)
    settings = replace(
        settings, listen=options.listen or settings.listen, store=options.store or settings.store,
        external_url=(options.external_url or settings.external_url).rstrip("/"),
    )  # fmt: skip
    return settings if settings.external_url else replace(settings, external_url=f"http://{settings.listen}")


def summary(settings: Settings) -> str:
    """Say in one line what the files hold."""
    roster = settings.roster
    return (
        f"{len(settings.rules)} rules, {len(settings.playbooks)} playbooks, {len(roster.people)} people, "
        f"{len(roster.schedules)} schedules, {len(settings.escalations)} escalation policies, "
        f"{len(settings.sources)} sources"
    )
