"""The door to the backend's ACM: what passes here and concerns listeners.

The private key of an imported certificate is in the request and nowhere else, so it is kept as it passes. Of a
requested one, GetCertificate answers with the certificate that the listeners here show. A certificate in use stays.
"""

import base64
import binascii
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any

from labs.cloud import protocol
from labs.cloud.frame import http
from labs.cloud.frame.errors import AwsError
from labs.cloud.load_balancing import certificates, tls
from labs.cloud.load_balancing.state import LoadBalancing

SIGNING_NAME = "acm"


class CertificateDoor:
    """An ASGI app in front of the backend, for the signing name `acm`.

    Args:
        lb: the state.
        backend: the ASGI app of the backend.
    """

    def __init__(self, lb: LoadBalancing, backend: http.App) -> None:
        self._lb = lb
        self._backend = backend

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """ASGI: one HTTP request."""
        incoming = http.head(scope)
        operation = incoming.headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            content = await http.body(receive)
        except AwsError as refusal:
            await http.answer(send, _error(refusal.code, refusal.message))
            return
        request = _object(content)
        answer = self._refusal(operation, request)
        if answer is None:
            answer = await http.ask(self._backend, scope, content)
            if answer.status == 200:
                answer = self._seen(operation, request, answer)
        await http.answer(send, answer)

    def _refusal(self, operation: str, request: dict[str, Any]) -> protocol.Answer | None:
        arn = request.get("CertificateArn")
        if operation == "DeleteCertificate" and isinstance(arn, str) and (users := tls.users(self._lb, arn)):
            text = f"Certificate {arn} is in use. It is associated with {', '.join(users)}."
            return _error("ResourceInUseException", text)
        if operation == "ImportCertificate" and (text := _mismatch(_bundle(request))):
            return _error("ValidationException", text)
        return None

    def _seen(self, operation: str, request: dict[str, Any], answer: protocol.Answer) -> protocol.Answer:
        arn = request.get("CertificateArn", "")
        if operation == "ImportCertificate":
            known = json.loads(answer.body)["CertificateArn"]
            certificates.keep(known, _bundle(request))
            for balancer in tls.users(self._lb, known):  # a renewed one is shown at once
                self._lb.wake(balancer)
        elif operation == "DeleteCertificate":
            certificates.drop(arn)
        elif operation == "DescribeCertificate":
            told = json.loads(answer.body)
            told["Certificate"]["InUseBy"] = tls.users(self._lb, arn)
            return answer._replace(body=json.dumps(told).encode())
        elif operation == "GetCertificate" and (bundle := certificates.read(arn)):
            own, *chain = certificates.public_parts(bundle)
            told = {"Certificate": own} | ({"CertificateChain": "".join(chain)} if chain else {})
            return answer._replace(body=json.dumps(told).encode())
        return answer


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _bundle(request: dict[str, Any]) -> str:
    """The key and the chain of an import, as PEM; empty if one is missing or cannot be read."""
    try:
        key, own = (base64.b64decode(request[name]).decode("ascii").strip() for name in ("PrivateKey", "Certificate"))
        chain = base64.b64decode(request.get("CertificateChain") or "").decode("ascii").strip()
    except (KeyError, TypeError, ValueError, binascii.Error):
        return ""
    return "\n".join(part for part in (key, own, chain) if part) + "\n"


def _mismatch(bundle: str) -> str | None:
    """Why a key and a certificate are no pair, in AWS's words; None if they are one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(bundle, encoding="ascii")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
        except ssl.SSLError as problem:
            if problem.reason == "KEY_VALUES_MISMATCH":
                return "The private key does not match the certificate."
            return "The certificate or the private key is not valid, or not in PEM, or the key has a password."
    return None


def _error(code: str, message: str) -> protocol.Answer:
    body = json.dumps({"__type": code, "message": message}).encode()
    return protocol.Answer(400, {"content-type": "application/x-amz-json-1.1"}, body)
