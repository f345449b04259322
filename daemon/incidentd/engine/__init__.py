"""The engine. NEWCOMERS START HERE: this is the walk of one alert.

1. *Unpack* - the receiver stored a body in the inbox and answered. `unpack` reads a batch of bodies, compares each
   alert with what is known of it, and marks what changed as undecided. A repeat ends here.
2. *Decide* - `decide_one` takes what nobody decided yet, asks `triage` what each alert deserves, and writes the hold,
   the incident or the ticket, its timeline and the jobs that follow from it in one transaction.
3. *Watch* - `watch_one` takes a deadline that has passed (a hold's, a page's, an incident's quiet time) and asks the
   same pure code. Time is just another caller.
4. *Act* - `act_one` claims one job (a notification, a Jira call, a playbook step), hands it to its door, and writes
   what came of it: done, again later, or given up aloud.

Each step is a method that says whether it found work; the loop around them has no logic of its own. What a step does
to the database is a plain function in this package: decide.py, course (holds and incidents), paging.py,
automation.py (playbooks; permission.py, byhand.py, earning.py, stopping.py), backlog (action items), learning.py, and
commands.py (what people ask for).
"""

from incidentd.engine.loop import Doors, Engine

__all__ = ["Doors", "Engine"]
