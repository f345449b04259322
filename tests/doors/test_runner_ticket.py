"""Steps of kind `ticket`: what is ordered, what they register, and what a failure means."""

from __future__ import annotations

from datetime import timedelta

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand, TicketOrder
from tests.doors.runners import Filer, running

ARGS = {
    "summary": "Mend {{ inputs.host }}", "description": "It is noisy.\n{{ inputs.host }}",
    "labels": ["host-{{ inputs.host }}"],
}  # fmt: skip
ERRAND = Errand(
    run="RUN-7", playbook="tidy", subject="HOLD-3", target="w-3", key="RUN-7@17/steps/0", teams=("payments",)
)


async def done(filer: Filer, host: str = "w-3", retries: int = 0, **args: object) -> StepResult:
    step = Step(
        name="step", kind="ticket", args={**ARGS, **args}, delay=timedelta(0), retries=retries,
        timeout=timedelta(seconds=20),
    )  # fmt: skip
    async with running(ticket=filer) as runner:
        return await runner.run_step(step, {"inputs": {"host": host}}, source="prod", errand=ERRAND)


async def test_a_ticket_is_ordered_under_the_key_of_its_step_and_registers_where_it_is() -> None:
    filer = Filer()
    result = await done(filer, project="WEB")
    assert filer.asked == [
        (
            TicketOrder(
                key="RUN-7@17/steps/0", summary="Mend w-3", description="It is noisy.\nw-3", project="WEB",
                teams=("payments",), labels=("host-w-3",), subject="HOLD-3", run="RUN-7", playbook="tidy", target="w-3",
            ),
            timedelta(seconds=20),
        )
    ]  # fmt: skip
    assert (result.ok, result.value) == (True, {"key": "OPS-7", "url": "http://jira/browse/OPS-7"})
    assert result.summary == "OPS-7 is in the backlog: http://jira/browse/OPS-7"


async def test_a_ticket_of_which_nobody_knows_whether_it_was_filed_is_ordered_again() -> None:
    filer = Filer(TemporaryError("no answer", maybe_done=True))
    assert not (await done(filer, retries=2)).ok
    assert len(filer.asked) == 3
    assert {wanted.key for wanted, _ in filer.asked} == {ERRAND.key}


async def test_a_ticket_that_cannot_be_filed_is_not_tried_again() -> None:
    filer = Filer(PermanentError("Jira takes no `Task` in OPS"))
    result = await done(filer, retries=2)
    assert (result.final, result.summary, len(filer.asked)) == (True, "Jira takes no `Task` in OPS", 1)
    assert (await done(Filer(), summary="{{ inputs.host }}", host=" ")).summary == (
        "the summary of the ticket would be empty"
    )


async def test_what_a_stranger_wrote_stays_one_line_of_the_ticket() -> None:
    filer = Filer()
    await done(filer, host="w-3\n{{ 7*7 }}\x1b[31m")
    ((wanted, _),) = filer.asked
    assert "\n" not in wanted.summary + wanted.labels[0]
    assert len(wanted.description.splitlines()) == 2
    assert "{{ 7*7 }}" in wanted.description
    assert "\x1b" not in wanted.description
