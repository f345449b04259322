"""A real Alertmanager with more groups to deliver at once than the daemon may have connections."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.bench import storm
from tests.bench.figures import FULL, QUICK, Figure

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
SIZE = FULL if LONG else replace(QUICK, groups=(1_200, 1_200))
"""10,000 groups, or as many as show what a limit of 1,024 descriptors does: a soft one is raised, a hard one sheds."""


@pytest.mark.slow
@pytest.mark.needs("alertmanager")
def test_t15_a_storm_loses_nothing_whatever_the_limit_of_descriptors_is() -> None:
    """Nothing is lost, nothing fails that need not, and the log stays short; how quick it is, the bench says."""
    figures = [line for line in storm.SECTION.report(SIZE) if isinstance(line, Figure)]
    counts = [figure for figure in figures if figure.unit != " s"]

    assert len(counts) >= 6
    assert [str(figure) for figure in counts if not figure.met] == []
