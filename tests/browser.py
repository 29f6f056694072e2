"""A real Chromium without a window, driven over its DevTools protocol.

It starts with an empty profile of its own and ends by its own process id; nothing is left behind.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Self

from websockets.sync.client import connect
from websockets.sync.connection import Connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 30
_ANNOUNCED = "DevTools listening on "
Scheme = Literal["light", "dark"]


def installed() -> str:
    """Return the path of a browser of this machine; "" where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def running() -> Iterator["Browser"]:
    """Run a browser for as long as it is used."""
    with (
        tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile("w+") as said,
    ):
        process = subprocess.Popen(_command(Path(profile)), stdout=said, stderr=said)
        try:
            address = _address(process, said)
            with connect(address, max_size=None, open_timeout=PATIENCE_S) as socket:
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    browser.close()
            process.wait(PATIENCE_S)
        finally:
            process.kill()  # itself: what it has started ends with it
            process.wait()


def _command(profile: Path) -> list[str]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to have one as root
    return [
        installed(),
        "--headless",
        *sandbox,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-extensions",
        "--disable-sync",
        "--hide-scrollbars",
        "--no-first-run",
        "--no-default-browser-check",
        "about:blank",
    ]


def _address(process: subprocess.Popen[bytes], said: IO[str]) -> str:
    """Wait until the browser says where it listens."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        said.seek(0)
        text = said.read()
        for line in text.splitlines():
            if line.startswith(_ANNOUNCED):
                return line.removeprefix(_ANNOUNCED)
        assert process.poll() is None, f"the browser ended: {text}"
        time.sleep(0.02)
    raise AssertionError(f"in {PATIENCE_S} s the browser did not say where it listens: {text}")


@dataclass(slots=True)
class Heard:
    """What a page did since it was opened, beside showing itself."""

    console: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """One tab of a browser."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._calls = 0
        self._session = ""
        self._loaded = False
        self.heard = Heard()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; what happens meanwhile is written down."""
        self._calls += 1
        message: dict[str, Any] = {"id": self._calls, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = self._next()
            if answer.get("id") == self._calls:
                assert "error" not in answer, f"{method}: {answer}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path) -> Self:
        """Open a file, and wait until it is loaded."""
        self.heard, self._loaded = Heard(), False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._next()
        return self

    def evaluate(self, script: str) -> Any:
        """Return what an expression gives, which may be a promise."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            "it.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = it.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Type into a field, as a keyboard does."""
        self.click(selector)
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key and let it go; a letter, or "Tab", "Enter"."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            given = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **given)

    def view(self, width: int, height: int = 900, scheme: Scheme = "light") -> None:
        """Show the page on a screen of this size, for people who prefer this scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        self._emulate("", scheme)

    def paper(self) -> None:
        """Show the page as it is printed."""
        self._emulate("print", "light")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Take a picture (PNG) of the screen, or of the whole page."""
        taken = self.call(
            "Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole)
        )
        path.write_bytes(base64.b64decode(taken["data"]))

    def pdf(self, path: Path) -> None:
        """Print the page into a file."""
        printed = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(printed["data"]))

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.call("Browser.close")

    def _clip(self, whole: bool) -> dict[str, Any]:  # noqa: FBT001 - as `screenshot` has it
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def _emulate(self, media: str, scheme: Scheme) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE_S))
        given = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.consoleAPICalled":
                self.heard.console.append(json.dumps(given["args"]))
            case "Log.entryAdded":
                self.heard.console.append(given["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.heard.exceptions.append(json.dumps(given["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.heard.requests.append(given["request"]["url"])
        return message
