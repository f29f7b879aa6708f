"""The certificates of listeners: what ACM knows of them, and their private keys, which ACM never gives out.

Of an imported certificate the key is kept when the import passes the gateway (`certificate_door.py`). For a requested
one we make a key and a certificate of our own for its names, signed by a certificate authority that only this data
folder has: on AWS the public Amazon Trust Services sign it. `authority()` is what a client has to trust.
https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
"""

import asyncio
import hashlib
import os
import re
import secrets
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from docker.errors import DockerException

from labs import settings
from labs.cloud.engine import docker, labels, proxy
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

ROLE = "certificates"
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)
_making = threading.Lock()

# Everything comes and goes by the environment and the output of one exec: Docker writes neither to its logs.
_SCRIPT = r"""
set -e; umask 077; cd /work
if [ -n "$AUTHORITY" ]; then printf '%s' "$AUTHORITY" > ca.pem; else
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 3650 \
        -subj "/O=Containers on AWS/CN=Local certificate authority $SERIAL" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
    cat ca.key ca.crt > ca.pem
fi
openssl req -newkey $KIND -nodes -keyout leaf.key -out leaf.csr -subj "$SUBJECT"
printf '%s\n' "subjectAltName=$NAMES" basicConstraints=CA:FALSE extendedKeyUsage=serverAuth \
    keyUsage=digitalSignature,keyEncipherment > extensions
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.pem -set_serial "0x$SERIAL" -days 395 -sha256 \
    -extfile extensions -out leaf.crt
cat ca.pem; echo ====; cat leaf.key leaf.crt; openssl x509 -in ca.pem
"""


async def require(region: str, arn: str) -> None:
    """Has the certificate with this ARN, and its private key, ready for a listener.

    Raises:
        AwsError: CertificateNotFound, UnsupportedCertificate.
    """
    if ":acm:" not in arn:
        raise AwsError("UnsupportedCertificate", f"The local AWS of this course has certificates of ACM only: '{arn}'")
    try:
        found = (await aws.call("acm", "describe_certificate", region=region, CertificateArn=arn))["Certificate"]
    except ClientError:
        raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found") from None
    if found.get("Status") != "ISSUED":
        raise AwsError(
            "UnsupportedCertificate", f"The certificate '{arn}' must have a fully-qualified domain name, a supported "
            f"signature, and a supported key size; its status is {found.get('Status')}, and has to be ISSUED."
        )  # fmt: skip
    if read(arn):
        return
    if found.get("Type") == "IMPORTED":
        raise AwsError(
            "UnsupportedCertificate",
            f"The private key of the imported certificate '{arn}' is not on this machine, as it was imported before "
            "or beside this gateway. Import it again.",
        )
    names = list(dict.fromkeys([found["DomainName"], *found.get("SubjectAlternativeNames", [])]))
    if bad := next((name for name in names if not _NAME.fullmatch(name)), None):
        raise AwsError("UnsupportedCertificate", f"The certificate '{arn}' has a name that is no domain name: {bad}")
    try:
        await docker.run(_make, arn, names, str(found.get("KeyAlgorithm", "RSA_2048")))
    except DockerException as problem:
        raise AwsError("ServiceUnavailable", f"No key could be made for '{arn}': {problem}", 503) from problem


def read(arn: str) -> str | None:
    """The private key and the chain of a certificate, as PEM; None if they are not known."""
    try:
        return _path(arn).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def file_name(bundle: str) -> str:
    """What a bundle is called in the folder of a load balancer: another content, another name."""
    return f"{hashlib.sha256(bundle.encode()).hexdigest()[:20]}.pem"


def public_parts(bundle: str) -> list[str]:
    """The certificates of a bundle, the server's own first; without the key."""
    return [found[0] for found in _PEM.finditer(bundle) if found[1] == "CERTIFICATE"]


def keep(arn: str, bundle: str) -> None:
    """Keeps a private key and its chain. Only this user can read them."""
    _write(_path(arn), bundle)


def drop(arn: str) -> None:
    """Forgets the private key of a certificate."""
    _path(arn).unlink(missing_ok=True)


def authority() -> Path:
    """The file with the certificate that signs those of ours; there after the first one was made."""
    return _folder() / "authority.pem"


def _make(arn: str, names: list[str], algorithm: str) -> None:
    """Makes a key and a certificate, and the authority if there is none. For a thread."""
    with _making:
        if read(arn):
            return
        secret = _folder() / "authority.key.pem"
        environment: dict[str, Any] = {
            "AUTHORITY": secret.read_text(encoding="ascii") if secret.exists() else "",
            "SERIAL": f"{secrets.randbits(120):x}",
            "NAMES": ",".join(f"DNS:{name}" for name in names),
            "SUBJECT": f"/CN={names[0]}" if len(names[0]) <= 64 else "/O=Containers on AWS",
            "KIND": "rsa:2048" if algorithm.startswith("RSA") else "ec -pkeyopt ec_paramgen_curve:prime256v1",
        }
        box = docker.client().containers.create(
            proxy.image(),
            ["infinity"],
            entrypoint=["sleep"],
            labels=labels.labels(ROLE),
            network_mode="none",
            read_only=True,
            tmpfs={"/work": "mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            user="65534:65534",
            stop_signal="SIGKILL",
        )
        try:
            box.start()
            result = box.exec_run(["sh", "-c", _SCRIPT], environment=environment, demux=True)
            said, complaints = result.output
        finally:
            box.remove(force=True, v=True)
        if result.exit_code:
            raise DockerException(f"openssl says: {(complaints or b'').decode('utf-8', 'replace')[-300:]}")
        pair, _, bundle = said.decode("ascii").partition("====\n")
        if not environment["AUTHORITY"]:
            _write(secret, pair)
            _write(authority(), public_parts(pair)[0])
        keep(arn, bundle)


def _folder() -> Path:
    folder = settings.data_dir() / "cloud" / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path(arn: str) -> Path:
    return _folder() / f"{hashlib.sha256(arn.encode()).hexdigest()[:20]}.pem"


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    fresh.replace(path)


async def prepare(region: str, arns: list[str]) -> None:
    """`require` for several certificates.

    Raises:
        AwsError: as `require`.
    """
    await asyncio.gather(*(require(region, arn) for arn in arns))
