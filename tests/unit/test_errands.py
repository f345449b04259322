"""What a step asks of Alertmanager in a run's name, and how what it made is known again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidentd.playbooks.errands import Errand, is_of_run, order
from incidentd.templates import BadTemplate

ERRAND = Errand(run="RUN-7", playbook="tidy", subject="HOLD-3", target="w-3", key="RUN-7@17/steps/2")


def silence(*matchers: str, host: str = "w-3", **more: str) -> str:
    args = {"silence": list(matchers), "for": "30m", **more}
    return str(order(args, {"inputs": {"host": host}}, timedelta(minutes=30), ERRAND))


@pytest.mark.parametrize(
    ("written", "host", "becomes"),
    [
        ('instance="{{ inputs.host }}"', "w-3", '{instance="w-3"}'),
        ('instance="{{ inputs.host }}"', 'x",job=~".*', r'{instance="x\",job=~\".*"}'),
        ('instance=~"{{ inputs.host }}:.*"', "w.3|.*", r'{instance=~"w\\.3\\|\\.\\*:.*"}'),
    ],
)
def test_a_value_stays_inside_its_matcher_and_means_itself(written: str, host: str, becomes: str) -> None:
    assert silence(written, host=host) == becomes


def test_an_empty_value_silences_nothing() -> None:
    with pytest.raises(BadTemplate, match="empty value"):
        silence('instance="{{ inputs.host }}"', host="")


def test_a_silence_is_known_again_as_that_of_its_step_its_run_or_any_run() -> None:
    args = {"silence": ['a="b"'], "for": "30m", "comment": "a restart (RUN-9@1/steps/1)"}
    made = order(args, {}, timedelta(minutes=30), ERRAND)
    assert made.by == "incidentd RUN-7"
    assert made.comment == "a restart (RUN-9@1/steps/1): RUN-7 of tidy for HOLD-3 on w-3 (RUN-7@17/steps/2)"
    assert all(is_of_run(made.by, made.comment, mark) for mark in ("", "RUN-7@17", "RUN-7@17/steps/2"))
    assert not any(is_of_run(made.by, made.comment, mark) for mark in ("RUN-7@1", "RUN-7@17/steps/1", "RUN-9@1"))
    assert not is_of_run("ana", made.comment)
    assert not is_of_run("incidentd RUN-7", "snoozed by hand")
