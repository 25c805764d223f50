"""A headless Chromium, spoken to through a pipe in its DevTools protocol, and all that it asks anybody for."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.interop.counterparts import find_chromium

__all__ = ["Page", "opened"]

#: Seconds for one command: browsers start slowly where others work.
_LIMIT: Final = 60.0


class Page:
    """One page. ``requests`` are the addresses that were asked for, ``complaints`` what the console has shown."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._held = b""
        self._number = 0
        self._session = ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; what happens meanwhile is noted."""
        self._number += 1
        members: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            members["sessionId"] = self._session
        os.write(self._outgoing, json.dumps(members).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _LIMIT
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._incoming], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._incoming, 1 << 20)
            assert data, "the browser has ended"
            self._held += data
        line, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog: {told['message']}")
        elif method == "Page.loadEventFired":
            self._loaded = True

    def attach(self) -> None:
        """Open an empty page and listen to it."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Go there, and wait until all is loaded."""
        self._loaded = False
        self.command("Page.navigate", url=address)
        while not self._loaded:
            self._next()

    def value(self, expression: str) -> Any:
        """What a piece of script evaluates to."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """With the mouse, where the element is."""
        box = self.value(
            "(element => { element.scrollIntoView({block: 'center'}); const box = element.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2] })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str, code: int, text: str = "") -> None:
        """One key."""
        kind = "keyDown" if text else "rawKeyDown"
        fields = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.command("Input.dispatchKeyEvent", type=kind, text=text, **fields)
        self.command("Input.dispatchKeyEvent", type="keyUp", **fields)


@contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A browser with an empty page; its profile lives in ``folder``. It finds no host of any name."""
    command = [
        str(find_chromium()), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}", "--disable-gpu",
        "--window-size=1400,900", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]  # fmt: skip
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # the browser reads from its descriptor 3 and writes to 4
    moved = f"import os, sys; os.dup2({theirs_in}, 3); os.dup2({theirs_out}, 4); os.execv(sys.argv[1], sys.argv[1:])"
    with open(folder / "browser.log", "wb") as log:
        browser = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", moved, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs_in, theirs_out),
        )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        page = Page(ours_in, ours_out)
        page.attach()
        yield page
    finally:
        os.close(ours_out)  # which ends it
        os.close(ours_in)
        try:
            browser.wait(timeout=10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
