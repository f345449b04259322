"""The operator's files: reads the whole tree, says all mistakes at once with file, line and column, and makes Settings.

The files give nodes with places (yaml12), the nodes documents of the right shape (tree, shape, words), the documents
values (core, people, rulebook, playbook), and what one names has to be in another (names).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from incidentd.config import cases, kinds, maintenance, people, playbook, rulebook, schedules, shape, stories, words
from incidentd.config.core import core_settings
from incidentd.config.doubts import doubt_playbooks
from incidentd.config.listener import web_settings
from incidentd.config.names import DEFAULT_POLICY, gather
from incidentd.config.parts import Part
from incidentd.config.proof import Surroundings
from incidentd.config.report import Report, in_order
from incidentd.config.secrets import Secrets
from incidentd.config.shape import KINDS, SCHEMAS_DIR
from incidentd.config.sources import doubt_certificates
from incidentd.config.tree import Tree, read_tree, tree_of
from incidentd.errors import ConfigError, Location
from incidentd.playbooks import Playbook
from incidentd.rules import LabelMap
from incidentd.settings import Settings, WebSettings, schedules_paged
from incidentd.text import plain

__all__ = ["KINDS", "SCHEMAS_DIR", "defaults", "frozen", "has_config", "load", "playbook_from"]

_BUILT_IN = Location("(built in)", 1)


def load(
    path: Path | None, *, env: Mapping[str, str], more: Sequence[Path] = (), instead_of: Sequence[str] = (),
    web: Path | None = None, now: datetime | None = None,
) -> Settings:  # fmt: skip
    """Read a configuration with everything that it includes; raise ConfigError with every mistake in it.

    Paths in the files start from the configuration's folder. `env` is where secrets named by `*_env` are looked up.
    `more` are files that are read as if they were included; they may take the place of the documents of some kinds
    (`instead_of`). Without a configuration these files are all there is. `web` is the file of `--web.config.file`.
    What is proved of the times ahead is proved from `now` on; without it from when each schedule begins.
    """
    report = Report()
    tree = read_tree(path, report, more=more, instead_of=instead_of)
    settings = _settings(tree, env, report, web, now)
    report.raise_if_wrong(tree.names)
    return settings


def has_config(path: Path) -> bool:
    """Say whether a file holds a document of `kind: config`; of one that cannot be read nobody knows."""
    return bool(tree_of(path).configs)


def defaults(env: Mapping[str, str]) -> Settings:
    """Give the settings of an incidentd without any file."""
    return _settings(Tree(Path()), env, Report())


def playbook_from(document: Mapping[str, Any], at: Location) -> Playbook:
    """Read a playbook back from its checked document; raise ConfigError, at that place, if it is none any more.

    A step of an installed kind whose package is gone, or takes less than it did, is taken as it is: it says so itself
    (`Step.lost`). What it registers may be another thing by now too, so names are not checked again.
    """
    report = Report()
    own = {key: value for key, value in document.items() if key != playbook.CALLED}
    parts = [Part(one, at, at) for one in (own, *document.get(playbook.CALLED, {}).values())]
    for part in parts:
        errors = shape.errors_of("playbook", part.value)
        words.tell((it for it in errors if not kinds.is_of_a_lost_step(it.path, it.keyword, it.value)), part, report)
    report.raise_if_wrong([at.file])
    return playbook.playbook(parts[0], Report(), {part.value["name"]: part for part in parts[1:]})


def frozen(document: Mapping[str, Any], at: Location, *, sha256: str) -> Playbook:
    """Read the playbook that a run keeps, whatever became of its language: what cannot be read has no step."""
    try:
        return playbook_from(document, at)
    except ConfigError as error:
        why = f"this version of incidentd cannot read it any more: {plain(error.problems[0].message, 300)}"
        return playbook.stand_in(document, at, sha256=sha256, why=why)


def _settings(
    tree: Tree, env: Mapping[str, str], report: Report, web: Path | None = None, now: datetime | None = None
) -> Settings:  # fmt: skip
    names = gather(tree, report)
    secrets = Secrets(tree.folder, env, report)
    config = next(iter(tree.documents["config"]), Part({}, _BUILT_IN, _BUILT_IN))
    core = core_settings(config, names, secrets)
    listener = web_settings(web, report) if web is not None else WebSettings()
    doubt_certificates(config, listener, report)
    roster = people.roster(tree, names, secrets)
    policies = people.escalations(tree, names)
    policies.setdefault(DEFAULT_POLICY, people.default_policy(roster, core["urgencies"]))
    schedules.prove(tree, roster, schedules_paged(policies), report, now)
    playbooks = playbook.playbooks(tree, names)
    doubt_playbooks(tree, roster, report)
    around = Surroundings(
        labels=core.get("labels", LabelMap()), severities=core["severities"], sources=core["sources"]
    )  # fmt: skip
    rules = rulebook.rules(tree, names, around, policies)
    return Settings(
        **core,
        web=listener,
        roster=roster,
        escalations=policies,
        playbooks=playbooks,
        rules=rules,
        stories=stories.stories(tree, names),
        cases=cases.cases(tree, names, playbooks),
        maintenance=maintenance.windows(tree, report),
        warnings=tuple(in_order(report.warnings, tree.names)),
        files=tuple(tree.files),
        secrets=tuple(secrets.seen),
    )
