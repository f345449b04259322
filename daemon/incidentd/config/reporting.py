"""The `report` of the configuration: who is sent the report on practice, and when."""

from __future__ import annotations

from incidentd.config import values
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.durations import about, parse_duration
from incidentd.report.limits import LONGEST, SHORTEST
from incidentd.settings import ReportSettings


def report(part: Part, names: Names) -> ReportSettings:
    """Read who is sent the report."""
    names.refer_all("channel", part, "channels")
    default = ReportSettings()
    since = parse_duration(part.value["since"]) if "since" in part else default.since
    if not SHORTEST <= since <= LONGEST:
        names.report.wrong(
            part.at_key("since"), f"`since` ({part.value['since']}) is not {about(SHORTEST)} to {about(LONGEST)} long",
            "a report of a week is `7d`",
        )  # fmt: skip
    return ReportSettings(
        channels=tuple(part.get("channels", ())),
        weekday=values.WEEKDAYS.index(part.value["day"]) if "day" in part else default.weekday,
        at=values.clock(part.value["at"]) if "at" in part else default.at,
        time_zone=part.get("time_zone", default.time_zone),
        since=since,
    )
