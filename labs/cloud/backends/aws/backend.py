"""A real AWS account behind the gateway: each request is judged, tagged, signed anew and passed on.

Notebooks, the CLI and scripts speak to the gateway as ever. So the learner's credentials are in one process only, every
other Python of the course still refuses real AWS, and nothing is made that carries no tag. There are no services of
ours: the container services are AWS's own.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from botocore.model import OperationModel
from botocore.parsers import create_parser

from labs import settings
from labs.cloud import guard, protocol
from labs.cloud.backends import forwarding
from labs.cloud.backends.aws import agreement, services, tags
from labs.cloud.backends.aws.signing import Endpoint, Signer
from labs.cloud.backends.errors import BackendUnavailableError
from labs.cloud.frame import http, wire
from labs.cloud.frame.errors import AwsError
from labs.cloud.gateway import App, Receive, Scope, Send

BODY_BYTES = 10_000_000
# Services that answer for the whole partition; SDKs that are given an address sign for their own region.
GLOBAL = ("iam",)

log = logging.getLogger(__name__)


class Aws:
    """A real account behind the gateway's `Backend` interface.

    Raises:
        BackendUnavailableError: nothing was agreed to, or the credentials are of another account than was agreed.
    """

    name = agreement.BACKEND

    def __init__(self) -> None:
        self.agreed = agreement.read()
        if not agreement.stand_in():
            guard.allow_real_aws()
        self._signer = Signer(self.agreed)
        who = identity(self._signer)
        if who["Account"] != self.agreed.account:
            raise BackendUnavailableError(
                f"Your credentials are now of account {who['Account']}, and you agreed to {self.agreed.account}. "
                f"Change them back, or agree anew: `{agreement.CHOOSE}`."
            )
        self.version = f"AWS account {self.agreed.account} in {self.agreed.region}"
        self.services = frozenset(services.SERVICES)
        self._endpoints: dict[str, Endpoint] = {}
        self._client = forwarding.client(proxied=not agreement.stand_in())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await forwarding.lifespan(receive, send, _nothing, self._client.aclose)
        elif scope["type"] == "websocket":
            await forwarding.close_websocket(send)
        else:
            await self._answer(scope, receive, send)

    def condition(self) -> dict[str, Any]:
        return {"unsaved": [], "account": self.agreed.account, "region": self.agreed.region}

    async def balance(self, scope: Scope, receive: Receive, send: Send, host: str, port: int | None) -> None:
        """ASGI: a request to a load balancer of the account, by its name and without any credentials."""
        first, _, rest = host.partition(".")
        wanted, name = (int(first), rest) if first.isdecimal() else (port, host)
        if wanted in (None, settings.gateway_port()):
            wanted = 80
        headers = [pair for pair in forwarding.passed_on(scope["headers"]) if pair[0].lower() != b"host"]
        where = agreement.stand_in() or f"http://{name}:{wanted}"
        # A server that plays AWS has its own way to choose the listener.
        shown = f"{wanted}.{name}" if agreement.stand_in() else name
        request = httpx.Request(
            scope["method"],
            httpx.URL(where).copy_with(raw_path=forwarding.target(scope)),
            headers=[(b"host", shown.encode()), *headers],
            content=forwarding.content(receive) if forwarding.has_body(scope) else None,
        )
        try:
            await forwarding.exchange(self._client, request, send)
        except forwarding.UnreachableError as problem:
            message = f"The load balancer {name} does not answer: {problem}"
            await http.answer(send, protocol.Answer(503, {"content-type": "text/plain"}, message.encode()))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming = http.head(scope)
        signing_name = protocol.signing_name(incoming.headers, incoming.query)
        try:
            incoming = incoming._replace(body=await http.body(receive, BODY_BYTES))
            url, headers, body = await asyncio.to_thread(self._prepare, signing_name, incoming)
            request = httpx.Request(incoming.method, url, headers=headers, content=body)
            await forwarding.exchange(self._client, request, send)
        except AwsError as refusal:
            log.warning("refused: %s", refusal.message)
            answer = protocol.error(signing_name, incoming.headers, refusal.status, refusal.code, refusal.message)
            await http.answer(send, answer)
        except (forwarding.UnreachableError, BackendUnavailableError) as problem:
            message = f"AWS could not be asked: {problem}"
            answer = protocol.error(signing_name, incoming.headers, 503, "ServiceUnavailable", message)
            await http.answer(send, answer)

    def _prepare(self, signing_name: str | None, incoming: http.Incoming) -> tuple[str, dict[str, str], bytes]:
        """The request as it goes to AWS.

        Raises:
            AwsError: it may not.
        """
        if signing_name is None or "authorization" not in incoming.headers:
            raise AwsError("MissingAuthenticationToken", "Only signed requests go to a real account.", 403)
        if not secrets.compare_digest(access_key(incoming.headers["authorization"]), self.agreed.key):
            message = "This key may not use the real account: only notebooks and commands of this course may."
            raise AwsError("InvalidClientTokenId", message, 403)
        if incoming.region != self.agreed.region and signing_name not in GLOBAL:
            raise AwsError(
                "AccessDeniedException",
                f"You agreed to the region {self.agreed.region}, and this request is for {incoming.region}. "
                "Nothing was sent to AWS.",
                403,
            )
        operation = operation_of(signing_name, incoming)
        verdict = services.judge(signing_name, operation)
        refusal = verdict.refusal or tags.why_not(operation, verdict.tags, incoming.body)
        if refusal:
            raise AwsError("AccessDeniedException", f"{refusal} Nothing was sent to AWS.", 403)
        body = incoming.body
        if verdict.tags:
            try:
                body = tags.added(operation, verdict.tags, incoming.headers.get("content-type", ""), body)
            except (ValueError, KeyError) as problem:
                raise AwsError("ValidationException", f"The request cannot be read: {problem}") from None
        where = self._endpoints.get(signing_name)
        if where is None:
            where = self._endpoints[signing_name] = self._signer.endpoint(signing_name)
        kept = {name: value for name, value in incoming.headers.items() if name.encode() not in forwarding.HOP}
        url, headers = self._signer.sign(signing_name, where, incoming._replace(headers=kept, body=body))
        return url, headers, body


class NothingOfOurs:
    """The gateway's `Ours` where the container services are AWS's own."""

    apps: Mapping[str, App] = {}
    targets: Mapping[str, str] = {}

    def __init__(self, backend: Aws) -> None:
        self.balance = backend.balance

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop: what runs in the account goes on until `clean_up`."""

    async def answer_task(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: no task runs on this machine."""
        await _not_here(send)

    async def admit(self, app: App, service: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: AWS itself says who may do what."""
        await app(scope, receive, send)

    async def registry(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: Docker asks the account's own registry."""
        await _not_here(send)

    async def open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: sessions of ECS Exec are AWS's own."""
        await forwarding.close_websocket(send)

    def interrupt(self, task: str) -> tuple[int, dict[str, Any]]:
        """Only AWS takes capacity back there."""
        return 404, {"message": f"The task {task} is in the account; only AWS itself takes its capacity back."}

    def condition(self) -> dict[str, Any]:
        return {}


def operation_of(signing_name: str, incoming: http.Incoming) -> OperationModel:
    """The operation that a request asks for.

    Raises:
        AwsError: it cannot be told.
    """
    model = services.model(signing_name)
    if incoming.headers.get("x-amz-target"):
        name = incoming.headers["x-amz-target"].rpartition(".")[2]
    elif "x-www-form-urlencoded" in incoming.headers.get("content-type", ""):
        name = parse_qs(incoming.body.decode("latin-1")).get("Action", [""])[0]
    elif model.metadata["protocol"] == "rest-json":
        name = wire.RestJsonWire(model).operation(incoming)
    else:
        name = ""
    if name not in model.operation_names:
        raise AwsError("InvalidAction", f"This is no operation of {model.service_name} that the course knows.")
    return model.operation_model(name)


def access_key(authorization: str) -> str:
    """The access key that a request was signed with."""
    found = re.search(r"Credential=([^/, ]+)/", authorization)
    return found[1] if found else ""


def identity(signer: Signer) -> dict[str, str]:
    """GetCallerIdentity: whose credentials they are. It is free, and needs no permission.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

    Raises:
        BackendUnavailableError: AWS cannot be reached, or refuses them.
    """
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    url, headers = signer.sign("sts", signer.endpoint("sts"), http.Incoming("POST", "/", "", form, body))
    try:
        answer = httpx.post(url, headers=headers, content=body, timeout=20, trust_env=not agreement.stand_in())
    except httpx.HTTPError as problem:
        raise BackendUnavailableError(f"{urlsplit(url).hostname} cannot be reached: {problem}") from problem
    model = services.model("sts").operation_model("GetCallerIdentity")
    parsed = create_parser("query").parse(
        {"status_code": answer.status_code, "headers": answer.headers, "body": answer.content}, model.output_shape
    )
    if answer.status_code != 200:
        error = parsed.get("Error", {})
        raise BackendUnavailableError(f"AWS refuses your credentials: {error.get('Code')}: {error.get('Message')}")
    return {name: parsed[name] for name in ("Account", "Arn", "UserId")}


async def _nothing() -> None:
    """There is nothing to start."""


async def _not_here(send: Send) -> None:
    message = f"With the backend '{agreement.BACKEND}' this is AWS's own, and not on this machine."
    await http.answer(send, protocol.Answer(404, {"content-type": "text/plain"}, message.encode()))
