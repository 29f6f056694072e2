"""What every test may use, and `--no-skips` for machines on which everything must run."""

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from tests.servers.jaeger.server import Jaeger
    from tests.servers.supabase.server import Supabase

# Models in tests are small: more threads than one only wait for each other. Read when torch loads,
# here and in every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Files whose tests share what takes long to make: one process is to have them.
TOGETHER = (
    "test_bugsink.py",
    "test_collector.py",
    "test_collector_settings.py",
    "test_cuda_failures.py",
    "test_deaths.py",
    "test_dockerfile.py",
    "test_drill.py",
    "test_in_browser.py",
    "test_jaeger.py",
    "test_jaeger_questions.py",
    "test_journey.py",
    "test_production.py",
    "test_queue_profile.py",
    "test_replay.py",
    "test_scaling.py",
    "test_sentry_flood.py",
    "test_shared_queue.py",
    "test_wan2gp.py",
    "test_wan2gp_faults.py",
    "test_wan2gp_journey.py",
)

# Some minutes on two processors, once a machine.
JAEGER_BUILT_S = 1800


class Together(LoadScopeScheduling):
    """Gives the tests of some files to one process each, and every other test to whoever is free.

    Marks would say it in place, but pytest-xdist 3.8 loses them: it writes them into an attribute
    that pytest 9.2 no longer reads (pytest-xdist's issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.endswith(TOGETHER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Have tests scheduled so, whatever `--dist` says."""
    return Together(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--no-skips`, for `.ci/run`: a skip hides a fault; and how much is to be survived."""
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a test that skips itself fails, unless it is marked gpu",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=6,
        help="how many random kills the journeys of tests/acceptance must survive",
    )
    parser.addoption(
        "--chaos",
        choices=("some", "all"),
        default="some",
        help="how much the shared queue must survive: 200 tasks and 40 kills, or 1,000 and 200",
    )
    parser.addoption(
        "--deaths",
        choices=("few", "all"),
        default="few",
        help="each death once, or each death at each stage (minutes)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that need a Jaeger the time to build it, where no cache has it."""
    for item in items:
        if "jaeger_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(JAEGER_BUILT_S))


@pytest.fixture(scope="session")
def jaeger_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Jaeger"]:
    """Run a Jaeger; skip where none is built and there is no Go."""
    from tests.servers.cache import Unavailable
    from tests.servers.jaeger.server import Jaeger

    try:
        jaeger = Jaeger(tmp_path_factory.mktemp("jaeger"))
    except Unavailable as reason:
        pytest.skip(str(reason))
    with jaeger:
        yield jaeger


@pytest.fixture(scope="session")
def supabase_server() -> Iterator["Supabase"]:
    """Run a PostgreSQL behind a PostgREST; skip where they cannot be fetched."""
    from tests.servers.cache import Unavailable
    from tests.servers.supabase.server import Supabase

    try:
        server = Supabase()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure under `--no-skips`; no machine can be given a GPU by a flag."""
    report = yield
    refused = item.config.getoption("--no-skips") and item.get_closest_marker("gpu") is None
    if refused and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped under --no-skips: {reason}"
    return report
