"""A browser for the tests of the page; a machine without one skips them."""

from collections.abc import Iterator

import pytest

from tests import browser
from tests.browser import Browser


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Browser]:
    """Run one browser for all tests of this process."""
    if not browser.installed():
        pytest.skip(f"needs one of {', '.join(browser.NAMES)} on PATH")
    with browser.running() as running:
        yield running


@pytest.fixture
def chromium(one_browser: Browser) -> Browser:
    """Give the browser as it starts: a desk's screen, light."""
    one_browser.view(1280)
    one_browser.call("Emulation.setScriptExecutionDisabled", value=False)
    return one_browser
