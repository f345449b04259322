"""From when on something is worth a line of the report; each figure with where it comes from.

SRE is Google's SRE book, WB its Workbook (chapters); PD is PagerDuty's guides. OWN is a judgement of ours where they
name none: it keeps chance and what came once out of a report that people are to act on.
"""

from __future__ import annotations

from datetime import timedelta

SHORTEST, LONGEST = timedelta(days=1), timedelta(days=400)
"""How far back a report looks: closed incidents are kept for 400 days, unless the files say otherwise."""
ENOUGH = 5
"""Pages, incidents or holds of one kind, below which a share or a median says nothing (OWN)."""
MOST_EVIDENCE = 10
"""Keys that a finding names, the newest ones."""

# -- automation candidates, toil -------------------------------------------------------------------------------------

PER = timedelta(days=90)
"""The time for which firings are counted in a score (process H 1)."""
SAME_FIRST_STEP = 0.6
"""The share of handled pages that begin with the same step (PD, automated remediation: always the same; OWN figure)."""
WORKS_WITHIN = timedelta(hours=1)
"""A step that ended it in this time counts as one that works (SRE-14: an hour's concentrated analysis)."""
BUILD = timedelta(hours=16)
"""What a playbook of a few known steps costs with its verification and cases (OWN; WB-8 reckons with 120 h for a
whole playbook whose page costs 4 h, which pays after 30 pages)."""
PAYS_WITHIN = timedelta(days=365)
"""By then as many pages must come as it takes to be worth it (OWN)."""
TOIL = timedelta(hours=4)
"""Hands-on time of one alert in 30 days: half a day (OWN; WB-6 counts in hours)."""
MONTH = timedelta(days=30)

# -- noise -----------------------------------------------------------------------------------------------------------

PRECISION = 0.5
"""Below this share of `actionable` among its verdicts an alert is noisy (process G; SRE-11, WB-8)."""
VERDICTS = 4
"""Verdicts that it takes to say so (process G)."""
SELF_RESOLVED = 0.5
"""Above this share of pages that were over before anybody did anything it is noisy (process H 3)."""
NIGHTS = 3
"""Pages in the hours of sleep after which nobody did anything (OWN)."""
FLAPS_A_DAY = 3
"""Firings of the same alert on one day (process A.3: three returns are flapping)."""
FLAPPING_DAYS = 3
"""Days like that (OWN)."""
FAN_OUT = 0.5
"""Above this share of pages that became part of something else, people are called twice for one thing (SRE-11)."""

# -- holds -----------------------------------------------------------------------------------------------------------

HOLDS = 8
"""Holds of a rule that it takes to tune it (OWN)."""
NEWEST_HOLDS = 100
"""Of each rule only these are replayed."""
SOONER = timedelta(minutes=5)
"""A median that moves by less is no reason to change a rule (the most urgent response time, process B.2)."""
FEWER_FALSE = 2
"""Declarations for nothing that a change has to spare (OWN)."""

# -- what is missing, what rots --------------------------------------------------------------------------------------

BARE_PAGES = 2
"""Pages without runbook and playbook (WB-8: each alert has an entry; what came once may never come again: OWN)."""
ROTS_AFTER = timedelta(days=90)
"""A playbook without a run for so long is out of date at the rate of production's change (WB-8; process H 7)."""
SUCCESS = 0.8
"""Below this share of verified runs a playbook goes back to approval (process G)."""

# -- detection, lead time, repeats -----------------------------------------------------------------------------------

LATE = timedelta(minutes=5)
"""An alert this long after the impact began is late: the most urgent response time (process B.2)."""
GAPS = 2
"""Incidents of a service with the same gap (OWN)."""
SHARE = 0.5
"""A part of the lead time that takes more than this of the whole is where the minutes go (OWN)."""
REPEATS = 3
"""Times that make a repeat (process H 10: "third time")."""
REPEATS_OWED = 2
"""Times, when what was promised after an earlier one is overdue (process H 10)."""
LAST = 3
"""Earlier times of which a page tells what fixed them (process H 11)."""
ITEM_EFFECT = timedelta(days=30)
"""What comes again this long after an action item was done was not prevented by it (process H 18)."""

# -- on call ---------------------------------------------------------------------------------------------------------

BUDGET = 2
"""Incidents that one person is paged for in `BUDGET_IN` (SRE-11, WB-8)."""
BUDGET_IN = timedelta(hours=12)
OVER_BUDGET = 2
"""Shifts of a schedule over the budget (OWN: one is a bad day)."""
NIGHTS_A_WEEK = 3
"""Nights of one shift in which sleep was interrupted (OWN; PD, operational review: hours with an interruption)."""
SLEEP_FROM, SLEEP_UNTIL = 22, 8
"""The hours of sleep by the clock of whoever is on call (process G, `period`)."""
