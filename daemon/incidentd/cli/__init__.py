"""The command line: run and check here, everything else is asked of a running daemon over its API.

Exit codes: 0 done, 1 it could not be done, 2 the command or the operator's files are wrong.
"""

from __future__ import annotations

import click

from incidentd import __version__
from incidentd.cli import (
    communication,
    context,
    daemon,
    document,
    explain,
    feedback,
    handover,
    items,
    library,
    lifecycle,
    looking,
    people,
    playbook,
    reaching,
    records,
    replay,
    report,
    reviewing,
    roles,
    rota,
    schema,
    sending,
    store,
    test,
    tokens,
    updates,
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
    sending.send, tokens.token, context.context, document.document,
    looking.incidents, looking.holds, looking.pages, looking.runs, rota.oncall,
    people.ack, people.take, people.helping, feedback.page, people.declare, people.note, people.progress,
    people.extend, people.stand_down, people.approve, reaching.escalate,
    *lifecycle.COMMANDS,
    *roles.COMMANDS,
    *handover.COMMANDS,
    records.board, records.change, records.criterion, records.decision, records.hypothesis, records.listed,
    records.task, records.write,
    updates.update, updates.updates, updates.approve_update, updates.cadence,
    reviewing.postmortem, report.report, items.item,
    communication.channel,
):  # fmt: skip
    main.add_command(_command)
for _command in library.COMMANDS:
    reviewing.postmortem.add_command(_command)
