"""What the draft asks of people. As long as one of these stands in a text, that place is not filled in."""

from __future__ import annotations

AUTHORS = "_who writes it?_"
OWNER = "_name one person who sees to it_"
RESPONDERS = "_who worked on it?_"
REVIEWERS = "_at least two, one of another team_"
EXECUTIVE_SUMMARY = "_One sentence, at most 40 words: what broke for whom, how long, why, and that it is fixed._"
PRODUCTS = "_which?_"
PERCENT = "_of users or requests; say `estimate:` when it is one_"
USERS = "_how many users, requests, orders_"
REVENUE = "_an amount, or none_"
DATA_LOSS = "_yes or no, and what_"
RESOLUTION = "_what ended it?_"
TECHNICAL_ISSUE = "_What happened, apart from how to fix it._"
TRIGGER = "_what set it off?_"
FACTORS = "_conditions, not people; at least two, or why there is only one_"
SOMETHING = "_?_"
ACTION_ITEMS = (
    "_Decide them after two working days: an action, a number or state that shows the end, one owner, a date._"
)
WENT_WELL = "_What helped, so that we keep it?_"
COULD_BE_IMPROVED = "_What made this longer or worse? Say how and what, not who._"
LUCKY = "_What would have made it worse, and did not happen?_"
TIMELINE = "_Add what happened before the trigger, one source a line._"
GLOSSARY = "_Words that a reader of another team does not know._"
EXTERNAL_SUMMARY = "_one sentence for customers_"
EXTERNAL_WHAT = "_in their words_"
EXTERNAL_DOING = "_so that it does not come back_"
STOOD_DOWN_AS = "_what?_"
KEEPS_FROM_CALLING = "_what keeps it from calling people again?_"
QUICK_OWNER = "_one person_"

PROMPTS = tuple(sorted({value for name, value in list(globals().items()) if name.isupper() and name != "PROMPTS"}))
"""All of them."""
HINTS = frozenset({AUTHORS, REVIEWERS, RESPONDERS, TIMELINE, GLOSSARY, EXTERNAL_SUMMARY, EXTERNAL_WHAT, EXTERNAL_DOING})
"""Those that do not keep a draft from its review: what they ask for is known in part, or may come with the review."""
HUMAN = (
    "Executive summary", "Problem summary", "Technical issue", "Root cause and contributing factors",
    "What went well", "What could be improved", "Where we got lucky",
)  # fmt: skip
"""The sections that people have to write; all others are filled in from what is recorded."""

MONITORING_Q = "Is the monitoring good? Did the right alert fire, first, once, in time?"
METRICS_Q = "Do we need more or different metrics, logs, traces or dashboards?"
SLO_Q = "SLI / SLO / SLA: did one exist, was it breached, budget used, is the target right?"
AUTOMATE_Q = "Should something be automated? (detection, diagnosis, fix, communication) first step always the same?"
HOLD_Q = "Was the hold decision right? (T too long / too short / should have declared)"
RESPONSE_Q = "Did response times, roles, handovers and updates work?"
PLAYBOOK_Q = "Was the runbook / playbook present, correct, used?"
QUESTIONS = (MONITORING_Q, METRICS_Q, SLO_Q, AUTOMATE_Q, HOLD_Q, RESPONSE_Q, PLAYBOOK_Q)
"""The questions about our practice: the draft's own words, which no check of the language reads."""

SUGGESTION = "Suggestion:"
"""How the draft begins a sentence that people have to write anew."""
OBSERVED = "observed"
"""The source of a row of the timeline that somebody put down as they saw it."""
RECORDED = "recorded"
"""The source of a row of the timeline that incidentd recorded itself; no check of the language reads such a row."""
