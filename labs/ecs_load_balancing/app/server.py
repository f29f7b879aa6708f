"""A small shop for load balancers: it can be slow, sick or rude, and it does not wait when it is told to end.

/            a page that needs nothing, so it always answers 200
/cart        needs the database: 500 once this copy is sick
/health      tells the truth: 200 while this copy is well, 500 once it is sick
/sick        makes this copy sick, and only this one
/fail        500, as from an app that has caught an exception of its own
/slow/N      takes N seconds
/hang-up     closes the connection without an answer
"""

import json
import os
import signal
import socket
import threading
import time

NAME = os.environ.get("SERVICE", "shop")
HOST = socket.gethostname()
PORT = 8080
in_hand: list[str] = []  # the slow requests that are being answered
lock = threading.Lock()


def end(*_: object) -> None:
    """End at once on SIGTERM, whatever is in hand. Real apps should wait; this one shows what draining is for."""
    print(f"SIGTERM host={HOST} cut={len(in_hand)}", flush=True)
    os._exit(0)


# A container's first process hears only the signals that it has asked for, so this comes before the slow import.
signal.signal(signal.SIGTERM, end)

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with JSON: service, host, path, and the client that a load balancer names."""

    sick = False

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        if path == "/hang-up":
            return
        if path == "/sick":
            Handler.sick = True
        if path.startswith("/slow/"):
            self.take_time(float(path.rpartition("/")[2]))
        self.say(500 if path == "/fail" or (Handler.sick and path in ("/cart", "/health")) else 200)

    def take_time(self, seconds: float) -> None:
        """Be slow, and write down when it began and when it was over."""
        with lock:
            in_hand.append(self.path)
        print(f"begun host={HOST} {self.path}", flush=True)
        time.sleep(seconds)
        print(f"answered host={HOST} {self.path}", flush=True)
        with lock:
            in_hand.remove(self.path)

    def say(self, status: int) -> None:
        """Send the answer."""
        said = {"service": NAME, "host": HOST, "path": self.path, "client": self.headers.get("X-Forwarded-For")}
        body = json.dumps(said).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no line a request: health checks would fill the log."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
