"""Steps of kind `alertmanager`: what is asked for, and what a failure means."""

from __future__ import annotations

from datetime import timedelta

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand
from tests.doors.runners import Silencer, running

ARGS = {"silence": ['instance="{{ inputs.host }}"'], "for": "30m"}
ERRAND = Errand(run="RUN-7", playbook="tidy", subject="HOLD-3", target="w-3", key="RUN-7@17/steps/0")


async def done(silencer: Silencer, host: str = "w-3", retries: int = 0) -> StepResult:
    step = Step(name="step", kind="alertmanager", args=ARGS, delay=timedelta(0), retries=retries)
    async with running(silence=silencer) as runner:
        return await runner.run_step(step, {"inputs": {"host": host}}, source="prod", errand=ERRAND)


async def test_a_silence_is_asked_for_in_the_run_s_name_and_bound_in_time() -> None:
    silencer = Silencer()
    result = await done(silencer)
    ((source, wanted),) = silencer.asked
    assert (source, str(wanted), wanted.lasts) == ("prod", '{instance="w-3"}', timedelta(minutes=30))
    assert (result.ok, result.value) == (True, {"id": "51973eae"})
    assert result.summary == '{instance="w-3"} is silenced, for 30m at most (51973eae)'


async def test_a_silence_of_which_nobody_knows_whether_it_was_made_is_asked_for_again() -> None:
    silencer = Silencer(TemporaryError("no answer", maybe_done=True))
    assert not (await done(silencer, retries=2)).ok
    assert len(silencer.asked) == 3


async def test_what_cannot_be_silenced_is_not_tried_again() -> None:
    silencer = Silencer(PermanentError("the source prod has no `alertmanager`"))
    assert (await done(silencer, retries=2)).final
    assert len(silencer.asked) == 1
    assert (await done(silencer, host="")).summary.startswith("a matcher would be filled with an empty value")
