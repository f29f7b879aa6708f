"""A very small web server that tells where ECS says it runs: the launch type and the image of its own task."""

import json
import os
import signal
import sys

# A container's first process hears only the signals that it asks for; ECS sends SIGTERM before it stops a task.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import urllib.request  # noqa: E402
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402

PORT = 8080


def whereabouts() -> dict[str, str]:
    """What the task metadata endpoint of ECS says about this task; outside ECS, that there is none."""
    endpoint = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not endpoint:
        return {"runs on": "no ECS here: a plain container"}
    with urllib.request.urlopen(f"{endpoint}/task", timeout=5) as answer:  # noqa: S310
        task = json.load(answer)
    return {"runs on": task["LaunchType"], "family": task["Family"], "image": task["Containers"][0]["Image"]}


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with JSON."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = json.dumps(whereabouts()).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print(f"ready on port {PORT}: {json.dumps(whereabouts())}", flush=True)
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
