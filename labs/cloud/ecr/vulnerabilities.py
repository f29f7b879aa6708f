"""What a scan knows: a small table of well-known vulnerabilities, fixed in the packages of two distributions.

It is no vulnerability database. It lets a scan of an old image find something real, with its name, its severity and the
version that mends it. An image without findings is not proven safe.

Fixed versions are those of the changelogs of Debian 12's own packages, and of Alpine's
https://security.alpinelinux.org; severities are those of https://nvd.nist.gov as known in 2024, not read again since.
"""

from typing import NamedTuple

UPDATED = 1795305600.0  # 2026-11-22, seconds since the epoch


class Vulnerability(NamedTuple):
    """A vulnerability: the source package, its name, its severity, the first version without it."""

    source: str
    name: str
    severity: str
    fixed: str


# By distribution and release as in os-release.
KNOWN: dict[tuple[str, str], tuple[Vulnerability, ...]] = {
    ("debian", "12"): (
        Vulnerability("apache2", "CVE-2024-38474", "CRITICAL", "2.4.61-1~deb12u1"),
        Vulnerability("apache2", "CVE-2024-38476", "CRITICAL", "2.4.61-1~deb12u1"),
        Vulnerability("curl", "CVE-2023-38545", "CRITICAL", "7.88.1-10+deb12u4"),
        Vulnerability("expat", "CVE-2024-45491", "CRITICAL", "2.5.0-1+deb12u1"),
        Vulnerability("expat", "CVE-2024-45492", "CRITICAL", "2.5.0-1+deb12u1"),
        Vulnerability("git", "CVE-2024-32002", "CRITICAL", "1:2.39.5-0+deb12u1"),
        Vulnerability("glibc", "CVE-2023-4911", "HIGH", "2.36-9+deb12u3"),
        Vulnerability("glibc", "CVE-2023-6246", "HIGH", "2.36-9+deb12u4"),
        Vulnerability("glibc", "CVE-2024-2961", "HIGH", "2.36-9+deb12u6"),
        Vulnerability("gnutls28", "CVE-2023-5981", "MEDIUM", "3.7.9-2+deb12u1"),
        Vulnerability("gnutls28", "CVE-2024-0553", "HIGH", "3.7.9-2+deb12u2"),
        Vulnerability("krb5", "CVE-2024-37371", "CRITICAL", "1.20.1-2+deb12u2"),
        Vulnerability("libwebp", "CVE-2023-4863", "HIGH", "1.2.4-0.2+deb12u1"),
        Vulnerability("nghttp2", "CVE-2023-44487", "HIGH", "1.52.0-1+deb12u1"),
        Vulnerability("nghttp2", "CVE-2024-28182", "MEDIUM", "1.52.0-1+deb12u2"),
        Vulnerability("openssh", "CVE-2023-38408", "CRITICAL", "1:9.2p1-2+deb12u1"),
        Vulnerability("openssh", "CVE-2023-48795", "MEDIUM", "1:9.2p1-2+deb12u2"),
        Vulnerability("openssl", "CVE-2023-5363", "HIGH", "3.0.11-1~deb12u2"),
        Vulnerability("openssl", "CVE-2024-0727", "MEDIUM", "3.0.13-1~deb12u1"),
        Vulnerability("openssl", "CVE-2024-6119", "HIGH", "3.0.14-1~deb12u2"),
        Vulnerability("perl", "CVE-2023-47038", "HIGH", "5.36.0-7+deb12u1"),
        Vulnerability("sqlite3", "CVE-2023-7104", "HIGH", "3.40.1-2+deb12u1"),
        Vulnerability("systemd", "CVE-2023-50387", "HIGH", "252.23-1~deb12u1"),
        Vulnerability("tar", "CVE-2022-48303", "MEDIUM", "1.34+dfsg-1.2+deb12u1"),
    ),
    ("alpine", "3.18"): (
        Vulnerability("openssl", "CVE-2023-5363", "HIGH", "3.1.4-r0"),
        Vulnerability("openssl", "CVE-2023-5678", "MEDIUM", "3.1.4-r1"),
    ),
}
