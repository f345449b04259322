"""What Prometheus answers in a story that does not say it."""

import pytest

from incidentd.rehearsal.doors import Numbers


@pytest.mark.parametrize(
    ("promql", "value"),
    [
        ("sum(lost) * 60 or vector(0)", 0.0),
        ("sum(lost) or vector( 1.5 ) ", 1.5),
        ("sum(lost)", None),
        ("(sum(lost) or vector(0)) / 2", None),
    ],
)
async def test_a_query_that_no_story_answers_gives_what_it_says_itself_or_no_data(
    promql: str, value: float | None
) -> None:
    assert (await Numbers().query(promql)).value == value
