"""Pull through cache rules: records. Nothing is fetched from another registry by them.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
"""

import re
from typing import Any

from labs import settings
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST = 50  # https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
# The upstream registries by their address; the second says whether one has to log in.
_UPSTREAMS = (
    (r"public\.ecr\.aws", "ecr-public", False),
    (r"quay\.io", "quay", False),
    (r"registry\.k8s\.io", "k8s", False),
    (r"registry-1\.docker\.io", "docker-hub", True),
    (r"ghcr\.io", "github-container-registry", True),
    (r"[a-z0-9]+\.azurecr\.io", "azure-container-registry", True),
    (r"registry\.gitlab\.com", "gitlab-container-registry", True),
    (r"cgr\.dev", "chainguard", True),
    (r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com", "ecr", False),
)


def create_rule(ecr: Ecr, request: Request) -> dict[str, Any]:
    """CreatePullThroughCacheRule."""
    prefix, url = request["ecrRepositoryPrefix"], request["upstreamRegistryUrl"].removeprefix("https://").rstrip("/")
    key = _key(request.region, prefix)
    if key in ecr.cache_rules:
        raise AwsError(
            "PullThroughCacheRuleAlreadyExistsException",
            f"A pull through cache rule with prefix '{prefix}' already exists in the registry with id "
            f"'{settings.ACCOUNT}'",
        )
    kind, needs_secret = _upstream(url)
    if request.get("upstreamRegistry", kind) != kind:
        raise AwsError("InvalidParameterException", f"The upstream registry at '{url}' is '{kind}'.")
    if needs_secret and "credentialArn" not in request:
        raise AwsError("InvalidParameterException", f"The upstream registry '{kind}' needs a credentialArn.")
    if sum(arns.region(one) == request.region for one in ecr.cache_rules) >= MOST:
        raise AwsError("LimitExceededException", f"A registry has {MOST} pull through cache rules at most.")
    now = clock.now()
    record = {
        **request,
        "upstreamRegistryUrl": url,
        "upstreamRegistry": kind,
        "upstreamRepositoryPrefix": request.get("upstreamRepositoryPrefix", "ROOT"),
        "registryId": settings.ACCOUNT,
        "createdAt": now,
        "updatedAt": now,
    }
    return ecr.cache_rules.put(key, record)


def describe_rules(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribePullThroughCacheRules."""
    if prefixes := request.get("ecrRepositoryPrefixes"):
        found = [_find(ecr, request.region, prefix) for prefix in prefixes]
    else:
        found = [one for key, one in ecr.cache_rules.items() if arns.region(key) == request.region]
    page, token = paging.page(found, request.get("maxResults"), request.get("nextToken"), most=1000)
    return {"pullThroughCacheRules": page, "nextToken": token}


def update_rule(ecr: Ecr, request: Request) -> dict[str, Any]:
    """UpdatePullThroughCacheRule."""
    record = _find(ecr, request.region, request["ecrRepositoryPrefix"])
    changed = {key: request[key] for key in ("credentialArn", "customRoleArn") if key in request}
    if not changed:
        raise AwsError("InvalidParameterException", "Give a credentialArn or a customRoleArn.")
    return ecr.cache_rules.put(
        _key(request.region, record["ecrRepositoryPrefix"]), {**record, **changed, "updatedAt": clock.now()}
    )


def delete_rule(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeletePullThroughCacheRule."""
    record = _find(ecr, request.region, request["ecrRepositoryPrefix"])
    ecr.cache_rules.drop(_key(request.region, record["ecrRepositoryPrefix"]))
    return record


def _find(ecr: Ecr, region: str, prefix: str) -> Record:
    if _key(region, prefix) not in ecr.cache_rules:
        raise AwsError(
            "PullThroughCacheRuleNotFoundException",
            f"The pull through cache rule with prefix '{prefix}' does not exist in the registry with id "
            f"'{settings.ACCOUNT}'",
        )
    return ecr.cache_rules[_key(region, prefix)]


def _upstream(url: str) -> tuple[str, bool]:
    found = next(((kind, secret) for host, kind, secret in _UPSTREAMS if re.fullmatch(host, url)), None)
    if found is None:
        raise AwsError("UnsupportedUpstreamRegistryException", f"The upstream registry '{url}' is not supported.")
    return found


def _key(region: str, prefix: str) -> str:
    return arns.make("ecr", region, f"pull-through-cache-rule/{prefix}")


OPERATIONS = {
    "CreatePullThroughCacheRule": create_rule,
    "DescribePullThroughCacheRules": describe_rules,
    "UpdatePullThroughCacheRule": update_rule,
    "DeletePullThroughCacheRule": delete_rule,
}
