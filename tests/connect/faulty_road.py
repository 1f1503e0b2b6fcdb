"""A proxy between Noria and a server, on which a test lets things go wrong."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

What = Literal["lost", "reply lost", "status", "slow"]


@dataclass
class Fault:
    """What happens to the next `times` calls that match "METHOD path".

    lost: it never arrives. reply lost: it is carried out and nobody hears of it. status: the answer is `status`, and it
    never arrives. slow: it waits for `seconds` first.
    """

    what: What
    call: str = ".*"
    times: int = 1
    status: int = 503
    seconds: float = 0.0


class FaultyRoad:
    """Forwards to `target` ("host:port"). `calls`: what came through, "METHOD path status"."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda call: None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault_for(self, call: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times and re.search(fault.call, call):
                    fault.times -= 1
                    return fault
        return None

    def _handler(road) -> type[BaseHTTPRequestHandler]:  # noqa: C901, N805 - "self" is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None:
                pass

            def hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                call = f"{self.command} {self.path}"
                road.before(call)
                fault = road.fault_for(call)
                what = fault.what if fault else ""
                if what == "slow":
                    time.sleep(fault.seconds)
                if what == "lost":
                    road.calls.append(f"{call} lost")
                    return self.hang_up()
                if what == "status":
                    road.calls.append(f"{call} {fault.status}")
                    return self.answer(fault.status, [], b"")
                try:
                    status, headers, said = road.ask(self.command, self.path, body, dict(self.headers))
                except OSError:
                    road.calls.append(f"{call} down")
                    return self.hang_up()
                road.calls.append(f"{call} {status}" + (" unheard" if what == "reply lost" else ""))
                if what == "reply lost":
                    return self.hang_up()
                try:
                    return self.answer(status, headers, said)
                except OSError:
                    return None  # who asked has gone

            def answer(self, status, headers, said) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = pass_on  # noqa: N815 - http.server's names

        return Handler

    def ask(self, method, path, body, headers):
        connection = http.client.HTTPConnection(self.target, timeout=60)
        try:
            kept = {k: v for k, v in headers.items() if k.lower() not in {"connection", "accept-encoding"}}
            connection.request(method, path, body=body or None, headers=kept)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
