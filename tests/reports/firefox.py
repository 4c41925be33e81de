"""The system's Firefox, without a window, asked over WebDriver BiDi: its own remote protocol.

Playwright drives a Firefox of its own; that of a package manager lacks commands which it sends (in
2026 `emulation.setMediaFeaturesOverride`), and Debian has no geckodriver.
"""

import asyncio
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("firefox-esr", "firefox")
WORDS_OF_THE_ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
SECONDS_TO_START = 180.0
SECONDS_TO_ANSWER = 180.0
LARGEST_MESSAGE = 100_000_000  # bytes: pictures of the page come in one

# What a page may complain of, and what it asks for
EVENTS = ("log.entryAdded", "network.beforeRequestSent", "browsingContext.userPromptOpened")
# No service of the browser itself may ask anybody for anything.
SETTINGS = """
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("extensions.update.enabled", false);
"""


def find_firefox() -> str | None:
    """The program, if this machine has it."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class FirefoxPage:
    """A tab: what is done in it, and what it said and asked for (`complaints`, `requests`)."""

    def __init__(self, connection: WebSocketClientConnection, loop: asyncio.AbstractEventLoop):
        self._connection = connection
        self._loop = loop
        self._n_sent = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._send("session.new", capabilities={})
        self._send("session.subscribe", events=list(EVENTS))
        tabs = self._send("browsingContext.getTree")["contexts"]
        self._tab: str = tabs[0]["context"]

    def open(self, address: str, width: int, height: int) -> None:
        """Go there in a window of that size, and wait until everything is loaded."""
        size = {"width": width, "height": height}
        self._send("browsingContext.setViewport", context=self._tab, viewport=size)
        self._send("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression gives, as far as JSON can say it."""
        answer = self._send(
            "script.evaluate",
            expression=f"JSON.stringify({expression})",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    def click(self, selector: str) -> None:
        """Move the pointer to the middle of the first such element, and press its button."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.evaluate(f"{found}.getBoundingClientRect()")
        place = {"x": int(box["x"] + box["width"] / 2), "y": int(box["y"] + box["height"] / 2)}
        actions = [
            {"type": "pointerMove", **place},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        self._send("input.performActions", context=self._tab, actions=[mouse])

    def type(self, text: str) -> None:
        """Press the keys of a text, which go to what has the focus."""
        actions = []
        for letter in text:
            actions.append({"type": "keyDown", "value": letter})
            actions.append({"type": "keyUp", "value": letter})
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self._send("input.performActions", context=self._tab, actions=[keyboard])

    def photograph(self) -> str:
        """What is seen, as PNG in base64."""
        shot: str = self._send("browsingContext.captureScreenshot", context=self._tab)["data"]
        return shot

    def print(self) -> str:
        """The page on A4 paper, as PDF in base64."""
        paper = {"width": 21.0, "height": 29.7}
        data: str = self._send("browsingContext.print", context=self._tab, page=paper)["data"]
        return data

    def _send(self, method: str, **parameters: Any) -> Any:
        """The answer to a command; events that come before it are noted."""
        return self._loop.run_until_complete(
            asyncio.wait_for(self._ask(method, parameters), SECONDS_TO_ANSWER)
        )

    async def _ask(self, method: str, parameters: dict[str, Any]) -> Any:
        self._n_sent += 1
        command = {"id": self._n_sent, "method": method, "params": parameters}
        await self._connection.write_message(json.dumps(command))
        while True:
            text = await self._connection.read_message()
            assert text is not None, f"Firefox has ended before it answered {method}"
            message = json.loads(text)
            if message.get("id") == self._n_sent:
                assert message["type"] == "success", message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        event = message.get("params", {})
        match message.get("method"):
            case "log.entryAdded":
                self.complaints.append(f"{event['level']}: {event['text']}")
            case "browsingContext.userPromptOpened":
                self.complaints.append(f"dialog: {event['message']}")
            case "network.beforeRequestSent":
                self.requests.append(event["request"]["url"])


@contextmanager
def started_firefox(program: str, profile: Path) -> Iterator[FirefoxPage]:
    """A Firefox with an empty profile, which ends with the block."""
    profile.mkdir(parents=True)
    (profile / "user.js").write_text(SETTINGS)
    options = ["--headless", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(
        [program, *options, "--remote-debugging-port", "0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    loop = asyncio.new_event_loop()
    try:
        address = _read_address(process)
        connecting = _connect(f"{address}/session")
        yield FirefoxPage(loop.run_until_complete(connecting), loop)
    finally:
        process.terminate()
        process.wait(SECONDS_TO_ANSWER)
        loop.close()


async def _connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address, max_message_size=LARGEST_MESSAGE)


def _read_address(process: subprocess.Popen[str]) -> str:
    """Where the browser listens, which it says among its remarks; the rest of these is read away.

    So that it never waits for somebody to read them.
    """
    found = threading.Event()
    addresses: list[str] = []

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            match = WORDS_OF_THE_ADDRESS.search(line)
            if match:
                addresses.append(match[1])
                found.set()

    threading.Thread(target=read, daemon=True).start()
    assert found.wait(SECONDS_TO_START), "Firefox does not say where it listens"
    return addresses[0]
