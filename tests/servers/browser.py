"""A small client of the DevTools protocol: opens pages in headless Chromium and asks about them.

It speaks through two pipes, so there is no port and no library. With the `with` statement's end the browser
and every process it started are gone.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .chromium import chromium_folder

__all__ = ["Page", "open_browser"]

_PATIENCE_SECONDS = 60
_FLAGS = (
    "--headless",
    "--no-sandbox",  # it would need rights that a container does not give; only our own pages are opened
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
Message = dict[str, Any]


class BrowserError(RuntimeError):
    """The browser is gone, silent, or says no."""


class _Pipe:
    """Messages of the protocol: JSON, each ended by a zero byte."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._rest = b""

    def send(self, message: Message) -> None:
        os.write(self._write_fd, json.dumps(message).encode() + b"\0")

    def receive(self, until: float) -> Message | None:
        """The next message; None where none came until then (`time.monotonic`)."""
        while b"\0" not in self._rest:
            if not select.select([self._read_fd], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            data = os.read(self._read_fd, 1 << 20)
            if not data:
                raise BrowserError("Chromium ended")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))


class Page:
    """One page.

    Attributes:
        events: What happened on it, in order: messages of the protocol.
    """

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe, self._count, self._session = pipe, 0, ""
        self.events: list[Message] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Message:
        """Calls a method of the protocol; what happens meanwhile is kept in `events`."""
        self._count += 1
        session = {"sessionId": self._session} if self._session else {}
        self._pipe.send({"id": self._count, "method": method, "params": parameters, **session})
        until = time.monotonic() + _PATIENCE_SECONDS
        while (message := self._pipe.receive(until)) is not None:
            if message.get("id") == self._count:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self.events.append(message)
        raise BrowserError(f"{method}: no answer within {_PATIENCE_SECONDS} s")

    def open(self, path: Path, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Opens a file and waits until it is loaded.

        Args:
            path: Of an HTML file.
            width: Of the window, CSS pixels; below 600 the screen is a phone's.
            height: Of the window, CSS pixels.
            scheme: What the reader prefers: `light` or `dark`.
        """
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + _PATIENCE_SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            message = self._pipe.receive(until)
            if message is None:
                raise BrowserError(f"{path} was not loaded within {_PATIENCE_SECONDS} s")
            self.events.append(message)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserError(str(found["exceptionDetails"]["exception"].get("description")))
        return found["result"].get("value")

    def click(self, x: float, y: float) -> None:
        """Clicks on a place of the window, CSS pixels from its upper left."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def requests(self) -> list[str]:
        """The addresses that the page asked for, itself included."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[str]:
        """What the browser wrote to the console or to its log, and what was thrown."""
        told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in told]

    def screenshot(self, path: Path) -> None:
        """Takes a picture of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def open_browser() -> Iterator[Page]:
    """A headless Chromium with one empty page; at the end all its processes are gone, whatever happened."""
    folder = chromium_folder()
    profile = Path(tempfile.mkdtemp(prefix="boneage-chromium-"))
    (their_in, our_out), (our_in, their_out) = _pipe(), _pipe()
    try:
        process = _start(folder, profile, their_in, their_out)
    finally:
        os.close(their_in)
        os.close(their_out)
    try:
        yield Page(_Pipe(our_in, our_out))
    finally:
        os.close(our_out)
        os.close(our_in)
        _end(process)
        shutil.rmtree(profile, ignore_errors=True)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends have high numbers: 3 and 4 are the browser's."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends[0], ends[1]


def _start(folder: Path, profile: Path, their_in: int, their_out: int) -> "subprocess.Popen[bytes]":
    def place_pipes() -> None:
        os.dup2(their_in, 3)
        os.dup2(their_out, 4)

    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(profile),
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }
    with (profile / "chromium.log").open("wb") as log:
        return subprocess.Popen(
            (folder / "chromium", *_FLAGS, f"--user-data-dir={profile}"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(3, 4),
            preexec_fn=place_pipes,
            start_new_session=True,  # its own group, so that all of it can be ended
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends the browser's whole group; closing the pipes has asked it to go already."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
