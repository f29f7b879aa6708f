"""The registry's protocol at the gateway: `docker login`, `docker push` and `docker pull` come here.

Who asks, which repository, which tag: that is decided here, with the records. Manifests are in the records; layers are
passed on to the registry's container. https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from labs.cloud.ecr import addresses, manifests, passing, publishing, referrers, templates, tokens
from labs.cloud.ecr.state import Ecr, image_key, repository_arn, repository_not_found
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

VERSION = (b"docker-distribution-api-version", b"registry/2.0")
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<what>manifests|blobs|tags|referrers)/(?P<rest>.+)")
# ECR's error codes as the registry's protocol has them.
_CODES = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "ImageNotFoundException": (404, "MANIFEST_UNKNOWN"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "ImageDigestDoesNotMatchException": (400, "DIGEST_INVALID"),
    "LayersNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "InvalidParameterException": (400, "MANIFEST_INVALID"),
    "ServerException": (500, "UNKNOWN"),
}


class RefusedError(Exception):
    """A request is refused in the words of the registry's protocol."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def answer(ecr: Ecr, scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI: a request whose path is `/v2/` or begins with it, and that is not signed."""
    try:
        _let_in(ecr, scope)
        await _Request(ecr, scope, receive, send).run()
    except tokens.NotAuthorizedError as problem:
        challenge = f'Basic realm="http://{addresses.host()}/",service="ecr.amazonaws.com"'
        await _say(send, scope, 401, _error("DENIED", str(problem)), {"www-authenticate": challenge})
    except RefusedError as refused:
        await _say(send, scope, refused.status, _error(refused.code, refused.message))
    except AwsError as refused:
        status, code = _CODES.get(refused.code, (refused.status, "UNKNOWN"))
        await _say(send, scope, status, _error(code, refused.message))


class _Request:
    def __init__(self, ecr: Ecr, scope: Scope, receive: Receive, send: Send) -> None:
        self._ecr = ecr
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method = scope["method"]
        self._query = {name: found[-1] for name, found in parse_qs(scope["query_string"].decode("latin-1")).items()}

    async def run(self) -> None:
        path = self._scope["path"]
        if path in ("/v2", "/v2/"):
            await self._reply(200, {})
        elif path == "/v2/_catalog":
            await self._catalog()
        elif found := _PATH.fullmatch(path):
            self._written = found["name"]
            self._region, self._name = addresses.locate(found["name"])
            self._arn = repository_arn(self._region, self._name)
            self._make_if_wanted(found["what"], found["rest"])
            if self._arn not in self._ecr.repositories:
                raise repository_not_found(self._name)
            await getattr(self, f"_{found['what']}")(found["rest"])
        else:
            raise RefusedError(404, "UNSUPPORTED", "The registry has no such address.")

    def _make_if_wanted(self, what: str, rest: str) -> None:
        """A push to a repository that is not there makes it, if a creation template says so."""
        pushes = self._method == "POST" or (self._method == "PUT" and what == "manifests")
        if pushes and (what == "manifests" or rest.startswith("uploads")) and self._arn not in self._ecr.repositories:
            templates.create_on_push(self._ecr, self._region, self._name)

    # --- manifests ----------------------------------------------------------------------------------------------------

    async def _manifests(self, reference: str) -> None:
        if self._method in ("GET", "HEAD"):
            await self._give(reference)
        elif self._method == "PUT":
            await self._take(reference)
        else:
            raise RefusedError(
                405, "UNSUPPORTED", "The operation is unsupported. Use BatchDeleteImage to delete images."
            )

    async def _give(self, reference: str) -> None:
        by_digest = ":" in reference
        find = self._ecr.image if by_digest else self._ecr.tagged
        image = find(self._arn, reference)
        if image is None:
            raise RefusedError(404, "MANIFEST_UNKNOWN", "Requested image not found")
        if image.get("imageStatus", "ACTIVE") != "ACTIVE":
            raise RefusedError(404, "MANIFEST_UNKNOWN", "Requested image is archived; restore it first")
        # A HEAD counts too: an engine that knows the manifest asks no more than that in a pull.
        self._ecr.keep({**image, "lastRecordedPullTime": clock.now()})
        self._ecr.store.flush_quietly()
        headers = {"content-type": image["imageManifestMediaType"], "docker-content-digest": image["imageDigest"]}
        await _say(self._send, self._scope, 200, image["_manifest"].encode(), headers)

    async def _take(self, reference: str) -> None:
        content = await self._body()
        kind = dict(self._scope["headers"]).get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
        by_digest = ":" in reference
        image = await publishing.publish(
            self._ecr,
            self._arn,
            content,
            kind or None,
            None if by_digest else reference,
            digest=reference if by_digest else None,
        )
        headers = {
            "location": f"/v2/{self._written}/manifests/{image['imageDigest']}",
            "docker-content-digest": image["imageDigest"],
        }
        if subject := image.get("subjectManifestDigest"):
            headers["oci-subject"] = subject
        await _say(self._send, self._scope, 201, b"", headers)

    async def _body(self) -> bytes:
        chunks, size, more = [], 0, True
        while more:
            message = await self._receive()
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > manifests.BYTES:
                raise RefusedError(413, "SIZE_INVALID", f"A manifest can be {manifests.BYTES} bytes long at most.")
            chunks.append(chunk)
            more = message["type"] == "http.request" and bool(message.get("more_body"))
        return b"".join(chunks)

    # --- layers -------------------------------------------------------------------------------------------------------

    async def _blobs(self, rest: str) -> None:
        kept = addresses.kept(self._region, self._name)
        if self._method == "DELETE" and not rest.startswith("uploads/"):
            raise RefusedError(405, "UNSUPPORTED", "The operation is unsupported.")
        query = self._mapped_query() if rest.startswith("uploads") else self._scope["query_string"].decode("latin-1")
        if self._method in ("GET", "HEAD") and not rest.startswith("uploads"):
            query = ""
        target = f"/v2/{kept}/blobs/{quote(rest, safe='/:@=_-.~')}" + (f"?{query}" if query else "")

        def seen(status: int, headers: dict[str, str]) -> dict[str, str]:
            digest = headers.get("docker-content-digest", "")
            if digest and (status == 201 or (status == 200 and self._method == "HEAD")):
                self._note(digest)
            if "location" in headers:
                headers["location"] = headers["location"].replace(f"/v2/{kept}/", f"/v2/{self._written}/", 1)
            return headers

        if self._method == "GET":
            await passing.exchange(self._ecr.bytes, self._scope, self._receive, self._send, target, seen)
        else:  # a layer that is said to be there must not be garbage that is being collected just now
            async with self._ecr.writing():
                await passing.exchange(self._ecr.bytes, self._scope, self._receive, self._send, target, seen)

    def _note(self, digest: str) -> None:
        """A layer that a push counts on is not collected as garbage before its manifest comes."""
        self._ecr.pending.put(image_key(self._arn, digest), {"since": clock.now()})
        self._ecr.store.flush_quietly()

    def _mapped_query(self) -> str:
        """The query of an upload; a layer of another repository is mounted from where that one is kept."""
        source = self._query.get("from")
        if source is None:
            return self._scope["query_string"].decode("latin-1")
        region, name = addresses.locate(source)
        mounting = self._ecr.settings_of(self._region).get("BLOB_MOUNTING", "ENABLED") == "ENABLED"
        if mounting and region == self._region and repository_arn(region, name) in self._ecr.repositories:
            return urlencode({**self._query, "from": addresses.kept(region, name)})
        return urlencode({key: found for key, found in self._query.items() if key not in ("from", "mount")})

    # --- lists --------------------------------------------------------------------------------------------------------

    async def _tags(self, rest: str) -> None:
        if rest != "list" or self._method != "GET":
            raise RefusedError(404, "UNSUPPORTED", "The registry has no such address.")
        found = sorted(tag for image in self._ecr.images_of(self._arn) for tag in image["imageTags"])
        page, link = self._page(found, f"/v2/{self._written}/tags/list")
        await self._reply(200, {"name": self._written, "tags": page}, link)

    async def _catalog(self) -> None:
        found = sorted(
            addresses.path(arn.split(":")[3], one["repositoryName"]) for arn, one in self._ecr.repositories.items()
        )
        page, link = self._page(found, "/v2/_catalog")
        await self._reply(200, {"repositories": page}, link)

    async def _referrers(self, rest: str) -> None:
        found = referrers.descriptors(self._ecr, self._arn, unquote(rest), self._query.get("artifactType"))
        index = {"schemaVersion": 2, "mediaType": manifests.LISTS[1], "manifests": found}
        headers = {"content-type": manifests.LISTS[1]}
        if "artifactType" in self._query:
            headers["oci-filters-applied"] = "artifactType"
        await _say(self._send, self._scope, 200, json.dumps(index).encode(), headers)

    def _page(self, found: list[str], path: str) -> tuple[list[str], dict[str, str]]:
        """The part of a list that `n` and `last` ask for, and the `Link` to the next one."""
        count = self._query.get("n", "1000")
        if not count.isascii() or not count.isdigit() or not 0 < int(count) <= 1000:
            raise RefusedError(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        rest = [one for one in found if one > self._query.get("last", "")]
        page = rest[: int(count)]
        more = len(rest) > len(page)
        link = {"link": f'<{path}?{urlencode({"n": count, "last": page[-1]})}>; rel="next"'} if more else {}
        return page, link

    async def _reply(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        found = {"content-type": "application/json", **(headers or {})}
        await _say(self._send, self._scope, status, json.dumps(content).encode(), found)


def _let_in(ecr: Ecr, scope: Scope) -> None:
    """Whether a request may enter: with a token, or to download the one layer that an address was given out for.

    Raises:
        NotAuthorizedError: it may not.
    """
    headers = dict(scope["headers"])
    query = parse_qs(scope["query_string"].decode("latin-1"))
    linked = scope["method"] == "GET" and "signature" in query and "expires" in query
    if linked and tokens.opens(ecr, scope["path"], query["expires"][0], query["signature"][0]):
        return
    tokens.check(ecr, headers.get(b"authorization", b"").decode("latin-1"))


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


async def _say(send: Send, scope: Scope, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    found = {"content-type": "application/json; charset=utf-8", **(headers or {}), "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in found.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*pairs, VERSION]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
