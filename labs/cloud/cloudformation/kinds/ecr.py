"""`AWS::ECR::*`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ECR.html
"""

from typing import Any

from labs import settings
from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone
from labs.cloud.cloudformation.kinds.properties import translate

_REPOSITORY = properties.inputs("ecr", "CreateRepository")
_LIFECYCLE = properties.inputs("ecr", "PutLifecyclePolicy")
_TEXT = properties.inputs("ecr", "SetRepositoryPolicy")["policyText"]
_CACHE = properties.inputs("ecr", "CreatePullThroughCacheRule")
_REPLICATION = properties.inputs("ecr", "PutReplicationConfiguration")
_SCANNING = properties.inputs("ecr", "PutRegistryScanningConfiguration")
_TEMPLATE = properties.inputs("ecr", "CreateRepositoryCreationTemplate")
# The filters' members have longer names in templates.
_FILTERS = {
    "filterType": "ImageTagMutabilityExclusionFilterType",
    "filter": "ImageTagMutabilityExclusionFilterValue",
}
_APART = ("LifecyclePolicy", "RepositoryPolicyText", "EmptyOnDelete", "Tags")


def _wanted(work: Work) -> dict[str, Any]:
    given = {key: value for key, value in work.properties.items() if key not in _APART}
    return translate(given, _REPOSITORY, renamed=_FILTERS)


async def _create_repository(work: Work) -> None:
    wanted = _wanted(work)
    wanted.setdefault("repositoryName", work.name(lower=True))
    if not work.physical:
        made = (await work.call("ecr", "CreateRepository", **wanted, tags=work.tags()))["repository"]
        work.made(made["repositoryName"], Arn=made["repositoryArn"], RepositoryUri=made["repositoryUri"])
    await _set_policies(work)


async def _update_repository(work: Work) -> None:
    wanted = _wanted(work)
    if work.changed("ImageTagMutability", "ImageTagMutabilityExclusionFilters"):
        keys = ("imageTagMutability", "imageTagMutabilityExclusionFilters")
        settings_ = {"imageTagMutability": "MUTABLE", **{key: wanted[key] for key in keys if key in wanted}}
        await work.call("ecr", "PutImageTagMutability", repositoryName=work.physical, **settings_)
    if work.changed("ImageScanningConfiguration"):
        scanning = wanted.get("imageScanningConfiguration", {"scanOnPush": False})
        await work.call(
            "ecr", "PutImageScanningConfiguration", repositoryName=work.physical, imageScanningConfiguration=scanning
        )
    await _set_policies(work)
    await _retag(work)


async def _delete_repository(work: Work) -> None:
    force = str(work.properties.get("EmptyOnDelete", "false")).lower() == "true"
    await gone(work, "ecr", "DeleteRepository", repositoryName=work.physical, force=force)


async def _set_policies(work: Work) -> None:
    if work.changed("LifecyclePolicy"):
        given = work.properties.get("LifecyclePolicy") or {}
        text = translate(given, _LIFECYCLE, path="#/LifecyclePolicy").get("lifecyclePolicyText")
        if text:
            await work.call("ecr", "PutLifecyclePolicy", repositoryName=work.physical, lifecyclePolicyText=text)
        else:
            await gone(work, "ecr", "DeleteLifecyclePolicy", repositoryName=work.physical)
    if work.changed("RepositoryPolicyText"):
        given = {"PolicyText": work.properties.get("RepositoryPolicyText")}
        text = translate(given, {"policyText": _TEXT}).get("policyText")
        if text:
            await work.call("ecr", "SetRepositoryPolicy", repositoryName=work.physical, policyText=text)
        else:
            await gone(work, "ecr", "DeleteRepositoryPolicy", repositoryName=work.physical)


async def _retag(work: Work) -> None:
    arn, wanted = work.record["_attributes"]["Arn"], work.tags()
    there = (await work.call("ecr", "ListTagsForResource", resourceArn=arn))["tags"]
    if wanted != there:
        await work.call("ecr", "TagResource", resourceArn=arn, tags=wanted)
    before = {one["Key"] for one in work.before.get("Tags") or []} | set(work.record.get("_stack_tags", []))
    if left := sorted({one["Key"] for one in there} & before - {one["Key"] for one in wanted}):
        await work.call("ecr", "UntagResource", resourceArn=arn, tagKeys=left)


async def _put_registry_policy(work: Work) -> None:
    text = translate(work.properties, {"policyText": _TEXT})["policyText"]
    await work.call("ecr", "PutRegistryPolicy", policyText=text)
    _registry(work)


async def _delete_registry_policy(work: Work) -> None:
    await gone(work, "ecr", "DeleteRegistryPolicy")


async def _put_replication(work: Work) -> None:
    await work.call("ecr", "PutReplicationConfiguration", **translate(work.properties, _REPLICATION))
    _registry(work)


async def _delete_replication(work: Work) -> None:
    await work.call("ecr", "PutReplicationConfiguration", replicationConfiguration={"rules": []})


async def _put_scanning(work: Work) -> None:
    await work.call("ecr", "PutRegistryScanningConfiguration", **translate(work.properties, _SCANNING))
    _registry(work)


async def _delete_scanning(work: Work) -> None:
    await work.call("ecr", "PutRegistryScanningConfiguration", scanType="BASIC", rules=[])


def _registry(work: Work) -> None:
    """What belongs to the registry as a whole has its id."""
    if not work.physical:
        work.made(settings.ACCOUNT, RegistryId=settings.ACCOUNT)


async def _create_cache_rule(work: Work) -> None:
    if not work.physical:
        made = await work.call("ecr", "CreatePullThroughCacheRule", **translate(work.properties, _CACHE))
        work.made(made["ecrRepositoryPrefix"])


async def _delete_cache_rule(work: Work) -> None:
    await gone(work, "ecr", "DeletePullThroughCacheRule", ecrRepositoryPrefix=work.physical)


async def _create_template(work: Work) -> None:
    if not work.physical:
        wanted = translate(work.properties, _TEMPLATE, renamed=_FILTERS)
        made = await work.call("ecr", "CreateRepositoryCreationTemplate", **wanted)
        work.made(made["repositoryCreationTemplate"]["prefix"])


async def _update_template(work: Work) -> None:
    wanted = translate(work.properties, _TEMPLATE, renamed=_FILTERS)
    await work.call("ecr", "UpdateRepositoryCreationTemplate", **wanted)


async def _delete_template(work: Work) -> None:
    await gone(work, "ecr", "DeleteRepositoryCreationTemplate", prefix=work.physical)


def _known(members: dict[str, Any]) -> frozenset[str]:
    return frozenset(properties.named(name) for name in members)


KINDS = {
    "AWS::ECR::Repository": Kind(
        service="ecr",
        known=_known(_REPOSITORY) - {"RegistryId"} | set(_APART),
        create=_create_repository,
        update=_update_repository,
        delete=_delete_repository,
        replaced_by=frozenset({"RepositoryName", "EncryptionConfiguration"}),
        name="RepositoryName",
        attributes=frozenset({"Arn", "RepositoryUri"}),
    ),
    "AWS::ECR::RegistryPolicy": Kind(
        service="ecr",
        known=frozenset({"PolicyText"}),
        required=("PolicyText",),
        create=_put_registry_policy,
        update=_put_registry_policy,
        delete=_delete_registry_policy,
        attributes=frozenset({"RegistryId"}),
    ),
    "AWS::ECR::ReplicationConfiguration": Kind(
        service="ecr",
        known=_known(_REPLICATION),
        required=("ReplicationConfiguration",),
        create=_put_replication,
        update=_put_replication,
        delete=_delete_replication,
        attributes=frozenset({"RegistryId"}),
    ),
    "AWS::ECR::RegistryScanningConfiguration": Kind(
        service="ecr",
        known=_known(_SCANNING),
        required=("Rules", "ScanType"),
        create=_put_scanning,
        update=_put_scanning,
        delete=_delete_scanning,
        attributes=frozenset({"RegistryId"}),
    ),
    "AWS::ECR::PullThroughCacheRule": Kind(
        service="ecr",
        known=_known(_CACHE) - {"RegistryId"},
        create=_create_cache_rule,
        delete=_delete_cache_rule,
        replaced_by=_known(_CACHE),
    ),
    "AWS::ECR::RepositoryCreationTemplate": Kind(
        service="ecr",
        known=_known(_TEMPLATE),
        required=("AppliedFor", "Prefix"),
        create=_create_template,
        update=_update_template,
        delete=_delete_template,
        replaced_by=frozenset({"Prefix"}),
    ),
}
