"""The check of a request before its service answers it."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud import protocol
from labs.cloud.access import requests
from labs.cloud.access.identities import Identities, Identity
from labs.cloud.frame import aws, http, roles
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.http import App, Receive, Scope, Send
from labs.cloud.frame.store import Store

# The codes of services that do not say AccessDeniedException.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
CODES = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}

log = logging.getLogger(__name__)


class Access:
    """Lets through what the sender may do.

    Args:
        store: where the keys of roles are kept.
    """

    def __init__(self, store: Store) -> None:
        self._identities = Identities(store)

    async def answer(self, app: App, service: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a request to a service.

        Args:
            app: the service.
            service: the name that the request is signed for.
            scope: the request.
            receive: where its body comes from.
            send: where the answer goes.
        """
        incoming = http.head(scope)
        who = await self._identities.find(protocol.access_key(incoming.headers, incoming.query))
        if service == "sts":
            await self._sts(app, scope, receive, send)
        elif who is None or service is None:
            await app(scope, receive, send)
        elif service == "s3":  # its bodies are long, and say nothing of what is asked
            if not await self._refused(who, service, incoming, send):
                await app(scope, receive, send)
        else:
            try:
                content = await http.body(receive)
            except AwsError as problem:
                await http.answer(send, protocol.error(service, incoming.headers, 413, problem.code, problem.message))
                return
            if not await self._refused(who, service, incoming._replace(body=content), send):
                await app(scope, _once(content), send)

    async def _refused(self, who: Identity, service: str, incoming: http.Incoming, send: Send) -> bool:
        try:
            permissions = await roles.permissions(who.kind, who.name)
        except (ClientError, BotoCoreError) as problem:  # the role is gone, for instance
            log.info("the policies of %s could not be read: %s", who.arn, problem)
            permissions = roles.Permissions([])
        for one in requests.asked(service, incoming):
            asked = await _exact(one, incoming.region)
            if reason := permissions.denial(asked.action, asked.resource):
                text = roles.refusal(who.arn, asked.action, asked.resource, reason)
                json = "x-www-form-urlencoded" not in incoming.headers.get("content-type", "") and service != "s3"
                code = CODES.get(service, "AccessDeniedException" if json else "AccessDenied")
                await http.answer(send, protocol.error(service, incoming.headers, 400 if json else 403, code, text))
                return True
        return False

    async def _sts(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """STS: who is given a key is remembered. Everybody may ask who they are."""
        answer = await http.ask(app, scope, await http.body(receive))
        if answer.status == 200:
            self._identities.learn(answer.body)
        await http.answer(send, answer)


async def _exact(asked: requests.Asked, region: str) -> requests.Asked:
    """The whole ARN of a secret that was asked for by its name."""
    name, unknown, _ = asked.resource.rpartition(requests.UNKNOWN_SUFFIX)
    if not unknown:
        return asked
    try:
        secret = await aws.call("secretsmanager", "describe_secret", region=region, SecretId=name.rpartition(":")[2])
    except ClientError:  # there is none, which its service says
        return asked
    return asked._replace(resource=secret["ARN"])


def _once(content: bytes) -> Receive:
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receive
