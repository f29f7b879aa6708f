"""The configuration of the HAProxy in front of a service. Nothing here has effects.

The backend `service` passes requests: a server for each instance, that gets as many at once as the auto scaling
configuration says; the rest waits. A backend `check-<revision>` for each revision carries no traffic: its servers are
the health checks. https://docs.haproxy.org/2.6/configuration.html
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labs.cloud.frame.store import Record

PORT = 8080
REQUEST_SECONDS = 120  # https://docs.aws.amazon.com/apprunner/latest/dg/develop.html
FIRST_CHECKS_MILLISECONDS = 250
SERVICE = "service"
_SAFE = re.compile(r"[A-Za-z0-9_./:=,?&-]")


class Server(NamedTuple):
    """An instance that gets requests: its name in HAProxy, and `address:port`."""

    name: str
    address: str


def render(checks: Mapping[str, Record]) -> str:
    """The configuration without servers.

    Args:
        checks: the id of each revision, and its `HealthCheckConfiguration`.
    """
    lines = [
        "global",
        "    description @digest",
        "    stats socket /lb/admin.sock mode 600 level admin expose-fd listeners",
        f"    hard-stop-after {REQUEST_SECONDS}s",
        "    maxconn 4000",
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        f"    timeout client {REQUEST_SECONDS}s",
        f"    timeout server {REQUEST_SECONDS}s",
        f"    timeout queue {REQUEST_SECONDS}s",
        f"    timeout http-request {REQUEST_SECONDS}s",
        "    timeout http-keep-alive 10s",
        "    option idle-close-on-response",
        "    option redispatch 1",
        "    option forwardfor",
        "    retries 3",
        "    retry-on conn-failure",
        "frontend url",
        f"    bind :{PORT}",
        "    http-request set-header X-Forwarded-Proto https",
        f"    default_backend {SERVICE}",
        f"backend {SERVICE}",
        "    balance leastconn",
    ]
    for revision, check in sorted(checks.items()):
        lines += [
            f"backend check-{revision}",
            "    mode tcp",
            f"    timeout check {check['Timeout']}s",
            f"    timeout connect {check['Timeout']}s",
            f"    # every {check['Interval']} s, {check['HealthyThreshold']} up, {check['UnhealthyThreshold']} down",
        ]
        if check["Protocol"] == "HTTP":
            lines += [
                "    option httpchk",
                "    http-check connect linger",
                f"    http-check send meth GET uri {_quoted(check['Path'])} ver HTTP/1.1 hdr Host %[srv_name]",
                "    http-check expect status 200-399",
            ]
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    """A short name for a configuration."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def complete(text: str, servers: Sequence[Server], most: int) -> str:
    """A rendered configuration as HAProxy gets it: with its digest, and the servers that take requests now.

    Args:
        text: from `render`.
        servers: the servers.
        most: how many requests each gets at once.
    """
    lines = "".join(f"    server {one.name} {one.address} {settings(most)}\n" for one in servers)
    marker = f"\nbackend {SERVICE}\n"
    return text.replace("@digest", digest(text)).replace(marker, marker + lines)


def settings(most: int) -> str:
    """The settings of a server of the backend `service`. One made at run time takes no defaults."""
    return f"weight 100 maxconn {most} pool-max-conn -1 pool-purge-delay 5s"


def _quoted(text: str) -> str:
    return "".join(chr(byte) if _SAFE.match(chr(byte)) else f"\\x{byte:02x}" for byte in text.encode())
