"""A relay in front of a real HDFS: passes requests on, notes them, and can lose the data on their way.

A NameNode that sends a client on to a DataNode is answered for with the relay's own address, so that the data comes
by here, too.
"""

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

__all__ = ["Relay"]


class Relay:
    """Listens while the context lasts.

    Args:
        namenode: Its web address.

    Attributes:
        requests: Method and path with query of each.
        lose: How many of the next bodies to lose: HDFS gets nothing, and says 201.
        refuse: How many of the next bodies to send for blocks larger than any disk: no DataNode takes them.
        forget: How many of the next renames' answers to keep back, once they are done.
    """

    def __init__(self, namenode: str) -> None:
        self.requests: list[tuple[str, str]] = []
        self.lose = 0
        self.refuse = 0
        self.forget = 0
        relay, first = self, urlsplit(namenode).netloc
        datanodes: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                relay.requests.append((self.command, self.path))
                head, _, rest = self.path.partition("/to-datanode/")
                host = first
                if not head:
                    number, _, rest = rest.partition("/")
                    host = datanodes[number]
                    if self.command == "PUT" and relay.lose > 0:
                        relay.lose -= 1
                        body = b""
                    elif self.command == "PUT" and relay.refuse > 0:
                        relay.refuse -= 1
                        rest += f"&blocksize={1 << 47}"
                there = http.client.HTTPConnection(host, timeout=60)
                there.request(self.command, f"/{rest}" if not head else self.path, body)
                answer = there.getresponse()
                content = answer.read()
                if "op=RENAME" in self.path and relay.forget > 0:
                    relay.forget -= 1
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                if place := answer.getheader("Location"):
                    parts = urlsplit(place)
                    number = str(len(datanodes))
                    datanodes[number] = parts.netloc
                    self.send_header(
                        "Location", f"{relay.web}/to-datanode/{number}{parts.path}?{parts.query}"
                    )
                if kind := answer.getheader("Content-Type"):
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                there.close()

            do_GET = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.web = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Relay":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
