"""A small web server: answers with its version and the container it runs in, and logs a line a request to stdout.

SIGTERM, which ECS sends before it stops a task, ends it in order: requests in hand are answered, then it exits with 0.
"""

import json
import os
import signal
import socket
import sys
import threading

# A container's first process hears only the signals that it has asked for. The import below takes most of the time of
# the start, and a SIGTERM unheard meanwhile would make ECS wait the whole stopTimeout, 30 seconds, to kill the task.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402

VERSION = os.environ.get("APP_VERSION", "1")
HOST = socket.gethostname()
PORT = 8080


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with JSON: version, host and path."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = json.dumps({"version": VERSION, "host": HOST, "path": self.path}).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write one line to stdout, where the awslogs driver picks it up."""
        print(f"version={VERSION} host={HOST} {format % args}", flush=True)


class Server(ThreadingHTTPServer):
    """Waits for the requests in hand before it ends."""

    daemon_threads = False


def main() -> None:
    """Serve until SIGTERM."""
    server = Server(("", PORT), Handler)
    # shutdown() waits for serve_forever() to return, so it must not run in the thread that the signal interrupts.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"version={VERSION} host={HOST} ready on port {PORT}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print(f"version={VERSION} host={HOST} stopped in order", flush=True)


if __name__ == "__main__":
    main()
