"""What people outside of the work are told of an incident: by when, in which words, and who let it go out."""

from incidentd.updates.cadence import (
    CADENCES,
    LONG_AFTER,
    Audience,
    AudiencePlan,
    Cadence,
    UpdateSettings,
)
from incidentd.updates.drafts import Known, Phase, draft, first_words, phase_of, with_promise
from incidentd.updates.lint import Finding, lint, unfilled
from incidentd.updates.promise import (
    Promise,
    Reminders,
    State,
    Update,
    joined,
    longest,
    raised,
    same_words,
    started,
    told,
)

__all__ = [
    "CADENCES", "LONG_AFTER", "Audience", "AudiencePlan", "Cadence", "Finding", "Known", "Phase", "Promise",
    "Reminders", "State", "Update", "UpdateSettings", "draft", "first_words", "joined", "lint", "longest", "phase_of",
    "raised", "same_words", "started", "told", "unfilled", "with_promise",
]  # fmt: skip
