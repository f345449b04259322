"""The command line: run and check here, everything else is asked of a running daemon over its API.

Exit codes: 0 done, 1 it could not be done, 2 the command or the operator's files are wrong.
"""

from __future__ import annotations

import click

from incidentd import __version__
from incidentd.cli import (
    daemon,
    explain,
    looking,
    people,
    playbook,
    reaching,
    replay,
    rota,
    schema,
    sending,
    store,
    test,
    tokens,
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "--version", prog_name="incidentd", message="%(prog)s %(version)s")
def main() -> None:
    """incidentd: the incident daemon for Prometheus shops.

    `run` is the daemon and `check` proves its files. The other commands talk to a running daemon: --url (or
    INCIDENTD_URL) says where it is, --token-file (or INCIDENTD_TOKEN_FILE, INCIDENTD_TOKEN) who you are.
    """


for _command in (
    daemon.run, daemon.check, test.test, replay.replay, explain.explain, playbook.playbook, schema.schema, store.store,
    sending.send, tokens.token, looking.incidents, looking.holds, looking.pages, looking.runs, rota.oncall,
    people.ack, people.take, people.helping, people.declare, people.note, people.progress, people.resolve,
    people.extend, people.stand_down, people.approve, reaching.escalate,
):  # fmt: skip
    main.add_command(_command)
