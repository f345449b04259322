"""What every test has: programs it may need, properties at two sizes, and a free port.

INCIDENTD_TEST_LONG=1    the same tests at full counts (`make test-long`)
INCIDENTD_REQUIRE_ALL=1  a test that lacks its program fails the run (`.ci/run`)
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from incidentd.redaction import Secret
from tests.ports import unused_port
from tests.postgres import Server
from tests.programs import find, package_of

LACKING = pytest.StashKey[dict[str, tuple[str, list[str]]]]()
"""By the id of a test: what it would have shown, and the programs that are missing."""

# Seeded (derandomized) at both sizes: a failure of yesterday fails today as well.
settings.register_profile(
    "fast", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("fast"), max_examples=2000, stateful_step_count=100)
settings.load_profile("long" if os.environ.get("INCIDENTD_TEST_LONG") == "1" else "fast")


@pytest.fixture
def free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    return unused_port()


@pytest.fixture(scope="session")
def compiled_once() -> Iterator[None]:
    """Have all stores on PostgreSQL share the statements that one of them compiled; a daemon has but one store."""
    from sqlalchemy import Engine, util

    from incidentd.store import postgres

    make, compiled, first = postgres.make_engine, util.LRUCache[object, object](1000), dict[bool, Engine]()

    def make_engine(url: str, password: Secret | None, **how: Any) -> Engine:
        engine = make(url, password, **how)
        dialect = first.setdefault(how.get("read_only", False), engine).dialect
        if dialect.server_version_info is not None:  # it has seen a server
            engine.dialect = dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "make_engine", make_engine)
        yield


@pytest.fixture(scope="session")
def postgres_server(compiled_once: None) -> Iterator[Server]:
    """Give a PostgreSQL that the tests of a run share; whoever asks for it is marked `needs("postgres")`."""
    server = Server(in_memory=True)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> str:
    """Give a database with the schema in it; making one like it is several times faster than migrating another one."""
    from incidentd.store import migrate, postgres

    url = postgres_server.database()
    migrate.upgrade(postgres.make_engine(url, None))
    return url.rpartition("/")[2]


@pytest.fixture
def postgres_store(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """Give a database with the schema in it and nothing else."""
    url = postgres_server.database(like=postgres_template)
    yield url
    postgres_server.drop(url)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Give an empty database."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)


ENGINES = ["sqlite", pytest.param("postgres", marks=[pytest.mark.needs("postgres"), pytest.mark.slow])]
"""What a test that is about the store is run on: `@pytest.fixture(params=ENGINES)`."""


@pytest.fixture(scope="session", autouse=True)
def pragmas_of_a_daemon() -> Iterator[tuple[str, ...]]:
    """Have the stores of this process not wait for the disk, and give what a daemon tells SQLite.

    Only a power cut tells the difference, and tests/system does that to daemons, which are processes of their own.
    """
    from incidentd.store import sqlite

    shipped = sqlite._PRAGMAS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_PRAGMAS", tuple(word.replace("=FULL", "=OFF") for word in shipped))
        yield shipped


@pytest.fixture(autouse=True)
def no_lost_errors_of_tasks() -> Iterator[None]:
    """Fail a test whose tasks failed unseen; asyncio only logs that."""
    lost: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lost.append(record.getMessage())  # type: ignore[method-assign]  # all that it is for
    logging.getLogger("asyncio").addHandler(handler)
    yield
    logging.getLogger("asyncio").removeHandler(handler)
    assert not lost, "\n".join(lost)


@pytest.hookimpl(trylast=True)  # after -k and -m: a test that nobody asked for lacks nothing
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests whose program is not installed; the summary says what they would have shown."""
    lacking = {item: missing for item in items if (missing := [name for name in needed(item) if find(name) is None])}
    config.stash[LACKING] = {item.nodeid: (sentence(item), missing) for item, missing in lacking.items()}
    if lacking:
        items[:] = [item for item in items if item not in lacking]
        config.hook.pytest_deselected(items=list(lacking))
    items[:] = longest_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def longest_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Have each worker, which is given an equal part of the list, begin with tests that are marked as the longest.

    One that is begun last keeps one processor, and everybody, waiting long after the others are done.
    """
    longest = [item for item in items if item.get_closest_marker("longest")]
    others = [item for item in items if not item.get_closest_marker("longest")]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        first = longest[worker::workers]
        size = (len(items) - len(ordered)) // (workers - worker)
        left = max(size - len(first), 0)
        ordered += first + others[:left]
        others = others[left:]
    return ordered + others


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was collected out of the garbage that is looked for from here: it lasts as long as the run."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that was to show everything and could not; a worker only tells the one who runs it."""
    lacking = session.config.stash.get(LACKING, {})
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["lacking"] = lacking
    elif lacking and requires_all() and session.exitstatus in (0, 5):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker could not show; each of them collected all tests."""
    node.config.stash.setdefault(LACKING, {}).update(getattr(node, "workeroutput", {}).get("lacking", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what was not shown, and what to install for it."""
    lacking = config.stash.get(LACKING, {})
    if not lacking:
        return
    terminalreporter.section("not shown here, for want of a program")
    for nodeid, (shows, missing) in lacking.items():
        terminalreporter.line(f"{shows}\n    {nodeid} needs {', '.join(missing)}")
    packages = sorted({package_of(name) for _, missing in lacking.values() for name in missing})
    terminalreporter.line(f"To see them: apt-get install {' '.join(packages)}")
    if requires_all():
        terminalreporter.line("INCIDENTD_REQUIRE_ALL=1: that fails the run.", red=True)


def needed(item: pytest.Item) -> Iterable[str]:
    """Give the programs that a test is marked to need."""
    return dict.fromkeys(str(name) for mark in item.iter_markers("needs") for name in mark.args)


def sentence(item: pytest.Item) -> str:
    """Say what a test shows: the first line of its docstring, else its name."""
    doc: str = getattr(getattr(item, "function", None), "__doc__", None) or ""
    words = item.name.removeprefix("test_").replace("_", " ")
    return doc.strip().partition("\n")[0] or words[:1].upper() + words[1:]


def requires_all() -> bool:
    """Say whether this run must show everything."""
    return os.environ.get("INCIDENTD_REQUIRE_ALL") == "1"
