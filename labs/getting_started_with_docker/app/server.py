"""A web server in one file, standard library only: the program that this chapter packs into an image.

It takes its settings from the environment, as programs in containers do:

    HOST         the address to listen on; 0.0.0.0 means every address of the container
    PORT         the port to listen on
    APP_VERSION  a text that every answer repeats
    DATA_DIR     the folder that keeps the number of visits
    BACKEND      the address of another server like this one, asked at each visit; may be left out

GET /       counts a visit and tells the host name, the version and the visits so far (JSON)
GET /about  tells the host name and the version, and counts nothing (JSON)
"""

import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HOST = os.environ.get("HOST", "0.0.0.0")  # noqa: S104  a container has to listen beyond its own loopback
PORT = int(os.environ.get("PORT", "8000"))
VERSION = os.environ.get("APP_VERSION", "unknown")
VISITS = Path(os.environ.get("DATA_DIR", "/data")) / "visits"
BACKEND = os.environ.get("BACKEND")
counting = threading.Lock()


def say(text: str) -> None:
    """Write a line to standard output at once: in a container that is the log."""
    print(text, flush=True)


def visits_so_far() -> int:
    return int(VISITS.read_text()) if VISITS.exists() else 0


def count_visit() -> int:
    with counting:
        visits = visits_so_far() + 1
        VISITS.parent.mkdir(parents=True, exist_ok=True)
        VISITS.write_text(f"{visits}\n")
        return visits


def about() -> dict:
    return {"app": "dock-web", "host": socket.gethostname(), "version": VERSION}


def ask_backend() -> dict:
    try:
        with urlopen(f"{BACKEND}/about", timeout=3) as reply:  # noqa: S310  the address is the operator's
            return {"backend": json.load(reply)}
    except (URLError, OSError, ValueError) as problem:
        return {"backend_error": str(problem)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/about":
            return self.reply(200, about())
        if self.path != "/":
            return self.reply(404, {"error": f"there is nothing at {self.path}"})
        try:
            body = about() | {"visits": count_visit()}
        except OSError as problem:
            return self.reply(500, {"error": f"cannot write the number of visits: {problem}"})
        return self.reply(200, body | ask_backend() if BACKEND else body)

    def reply(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, form: str, *values: object) -> None:
        say(form % values)


def stop(_signal: int, _frame: object) -> None:
    """Docker and ECS send SIGTERM first. Finish what is open, then leave with code 0."""
    say("SIGTERM received, goodbye")
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    with ThreadingHTTPServer((HOST, PORT), Handler) as server:
        say(f"listening on {HOST}:{PORT}, version {VERSION}, visits so far: {visits_so_far()}")
        server.serve_forever()
