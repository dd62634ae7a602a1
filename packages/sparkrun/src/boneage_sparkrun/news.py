"""News from a worker for the driver, while a job runs: a line of JSON each, over a connection of their own."""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Address", "Reporter", "hearing"]

_CONNECT_SECONDS = 5.0
_MOST_BYTES = 65536
_QUIET_SECONDS = 0.5  # between two news


@dataclass(frozen=True)
class Address:
    """Where the driver listens, and the word that opens.

    Attributes:
        host: Its name or address, as workers reach it.
        port: Its port.
        key: The word.
    """

    host: str
    port: int
    key: str


@contextlib.contextmanager
def hearing(
    host: str, report: Callable[[dict[str, Any]], None], bind: str | None = None
) -> Iterator[Address]:
    """Listens for news.

    Args:
        host: This machine, as workers reach it.
        report: Called with each, one at a time, in a thread of its own.
        bind: The address to listen at; None: the host's.

    Yields:
        What workers have to know.
    """
    key = secrets.token_hex(16)
    with _Server((bind or host, 0), _Connection) as server:
        server.key, server.report = key, report
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield Address(host, server.server_address[1], key)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    key: str
    report: Callable[[dict[str, Any]], None]

    def __init__(self, *arguments: Any) -> None:
        self.one_at_a_time = threading.Lock()
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """News that cannot be read are no news; what went wrong with a worker is told by its job."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        if not hmac.compare_digest(self.rfile.readline(_MOST_BYTES).strip(), self.server.key.encode()):
            return
        for line in iter(lambda: self.rfile.readline(_MOST_BYTES), b""):
            with self.server.one_at_a_time:
                self.server.report(json.loads(line))


@dataclass
class Reporter:
    """The worker's end. Where the driver cannot be reached the news are lost, and nothing else.

    Attributes:
        address: Of the driver.
    """

    address: Address
    _socket: socket.socket | None = field(default=None, repr=False)
    _told: float = field(default=float("-inf"), repr=False)
    _lost: bool = False

    def tell(self, news: dict[str, Any]) -> None:
        """Sends what fits JSON; what comes too soon after the last is left out."""
        now = time.monotonic()
        if self._lost or now < self._told + _QUIET_SECONDS:
            return
        self._told = now
        try:
            self._connected().sendall(json.dumps(news).encode() + b"\n")
        except OSError:
            self._lost = True

    def _connected(self) -> socket.socket:
        if self._socket is None:
            place = (self.address.host, self.address.port)
            self._socket = socket.create_connection(place, _CONNECT_SECONDS)
            self._socket.sendall(self.address.key.encode() + b"\n")
        return self._socket
