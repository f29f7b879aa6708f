"""Refuses requests to real AWS hosts in this Python process. Standard library only: every Python of the course runs it.

One audit hook (https://docs.python.org/3/library/audit_events.html) sees name look-ups and connections of the whole
process, whatever library makes them, and request lines that go to an HTTP proxy. Only `start --backend aws` and the
gateway's process open it, for an account that was agreed to in so many words (`labs.cloud.backends.aws.agreement`).
"""

import os
import sys

# Domains of the AWS partitions' endpoints (botocore's partitions.json and endpoints.json, October 2026) and of sign-in.
DOMAINS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "aws.amazon.com",
    "aws.dev",
    "awsapps.com",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "on.aws",
    "sc2s.sgov.gov",
)
# Where instances, and pods with a pod identity, get real credentials.
METADATA = ("169.254.169.254", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23")

_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname")
_installed = False
_open = False


class RealAwsRefused(Exception):  # noqa: N818 - learners read the name; an OSError would be retried by the SDK
    """A request to a real AWS host was refused before anything left the machine."""


def install() -> None:
    """Installs the hook in this process, once. It cannot be taken out again."""
    global _installed  # noqa: PLW0603 - an audit hook belongs to the process
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)


def allow_real_aws() -> None:
    """Opens the door in this process, for good: it acts for a learner who has chosen a real account."""
    global _open  # noqa: PLW0603 - as the hook does, it belongs to the process
    _open = True


def is_real_aws(host: str) -> bool:
    """Whether a host name or address belongs to AWS or hands out AWS credentials."""
    host = host.strip("[]").rstrip(".").lower()
    return host in METADATA or any(host == domain or host.endswith("." + domain) for domain in DOMAINS)


def _audit(event: str, args: tuple) -> None:
    if event in _LOOK_UPS:
        host = args[0]
    elif event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "http.client.send":
        host = _proxied_host(args[1])
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("latin-1")
    if isinstance(host, str) and is_real_aws(host) and not _open:
        raise RealAwsRefused(
            f"{host} is a real AWS host, and the course sends nothing there, so that nothing can cost money. "
            f"{_instead(host)} A real account is used only through the gateway, after "
            "`python3 -m labs start --backend aws`."
        )


def _instead(host: str) -> str:
    """What to do, in a sentence."""
    if host.rstrip(".").endswith(".elb.amazonaws.com"):
        port = os.environ.get("COURSE_PORT", "4566")
        return f"A local load balancer answers at http://127.0.0.1:{port} to requests with the header Host: {host}."
    return "Leave endpoint_url out: the local AWS answers by itself."


def _proxied_host(data: object) -> str | None:
    """The host that a request line asks an HTTP proxy for; None if this is no such request."""
    if not isinstance(data, bytes | bytearray):
        return None
    words = bytes(data[:4096]).split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/"):
        return None
    target = words[1].decode("latin-1")  # 'host:port' after CONNECT, 'scheme://host:port/path' after other methods
    if words[0] != b"CONNECT":
        _, absolute, target = target.partition("://")
        if not absolute:
            return None
    authority = target.partition("/")[0].rpartition("@")[2]
    return authority[1:].partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]
