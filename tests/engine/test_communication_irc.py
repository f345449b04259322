"""An incident is followed in a real chat room of somebody else's server, and read back from there."""

from pathlib import Path

import pytest

from incidentd.communication import CommunicationSettings, Route
from incidentd.engine import commands, lifecycle
from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind
from incidentd.redaction import Redactor, Secret
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.doors.test_notify import LOG, threads_are_idle
from tests.doors.test_notify_irc import Room, room
from tests.engine.world import make_world

ANA = Actor(name="ana", via="api")


@pytest.mark.slow
@pytest.mark.needs("ngircd")
async def test_an_incident_is_followed_in_a_real_chat_each_entry_once(tmp_path: Path, free_port: int) -> None:
    url = Secret(f"irc://pager@127.0.0.1:{free_port}/%23ops?join=yes")
    channels = {"ops": Channel(name="ops", kind=ChannelKind.CHAT, url=url)}
    settings = Settings(
        external_url="http://incidentd.example.org", channels=channels,
        communication=CommunicationSettings(routes=(Route(channels=("ops",)),)),
    )  # fmt: skip
    w = await make_world(tmp_path, settings)
    async with room(tmp_path, free_port) as sitting:
        w.doors.notifier = ours = Notifier(channels, log=LOG, redact=Redactor())
        await w.do(commands.declare_incident, actor=ANA, title="Checkout is down", severity="sev1")
        first = await said(sitting, "Ref INC-1/ops/1-")
        await w.at(1)
        await w.do(commands.add_note, "INC-1", actor=ANA, text="the card service answers 500\r\nQUIT :bye")
        await w.do(commands.add_note, "INC-1", actor=ANA, text="rolled back")
        await w.at(2)
        second = await said(sitting, "Ref INC-1/ops/")
        await w.do(lifecycle.stand_down, 1, actor=ANA, code="self_recovered", text="it came back", admin=True)
        await w.at(3)
        last = await said(sitting, "Ref INC-1/ops/")
        await ours.close()
        await threads_are_idle()
    await w.store.close()

    assert "[SEV1] INC-1 declared: Checkout is down" in first
    assert "Document: http://incidentd.example.org/incidents/INC-1" in first
    assert "Declared by ana" in first
    assert second.count("the card service answers 500") == second.count("rolled back") == 1
    assert "answers 500  QUIT :bye" in second  # words, and no command of the chat
    assert "Declared by ana" not in second
    assert "INC-1 is stood down; no more of it is posted here" in last
    assert "rolled back" not in last


async def said(sitting: Room, sign: str) -> str:
    """Read what was said in the room, up to a sign."""
    lines = await sitting.until(sign)
    return " ".join(line.split(" :", 1)[1] for line in lines if " PRIVMSG #ops :" in line)
