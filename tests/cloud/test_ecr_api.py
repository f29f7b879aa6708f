"""ECR's API with boto3: repositories, images, policies, settings, replication, and how it refuses."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from cloud_lab import wait_until
from ecr_lab import Docker, ecr, error, forget_bytes, host, image, policy, repository, volume

from labs import settings

ABSENT = "sha256:" + "0" * 64
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
}
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

kept_bytes = pytest.fixture(scope="module")(forget_bytes)


@pytest.fixture(scope="module", autouse=True)
def cli(kept_bytes: list[str], local_aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    kept_bytes.append(volume())
    found = Docker(tmp_path_factory.mktemp("docker"))
    found.login()
    return found


@pytest.fixture(scope="module")
def pair(cli: Docker) -> Iterator[list[str]]:
    """Two small images."""
    made = [image(), image()]
    yield made
    for one in made:
        docker.from_env().images.remove(one, force=True)


def code(call: Any, **parameters: Any) -> str:
    return error(call, **parameters)["Code"]


def pushed(cli: Docker, images: list[str], *tags: str, **more: Any) -> tuple[str, list[str]]:
    """A repository with images pushed to it by turns, a tag each: its name, their digests."""
    made = repository(**more)
    digests = [
        cli.must_push(images[number % len(images)], f"{made['repositoryUri']}:{tag}") for number, tag in enumerate(tags)
    ]
    return made["repositoryName"], digests


def manifest(name: str, **wanted: str) -> str:
    return ecr().batch_get_image(repositoryName=name, imageIds=[wanted])["images"][0]["imageManifest"]


# --- repositories -----------------------------------------------------------------------------------------------------


def test_a_repository_as_it_was_wished(cli: Docker) -> None:
    made = repository(
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS"},
        tags=[{"Key": "team", "Value": "blue"}],
    )
    name = made["repositoryName"]
    assert made["repositoryArn"] == f"arn:aws:ecr:{settings.REGION}:{settings.ACCOUNT}:repository/{name}"
    assert made["repositoryUri"] == f"{host()}/{name}"
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"]["kmsKey"].endswith("alias/aws/ecr")
    assert ecr().describe_repositories(repositoryNames=[name])["repositories"] == [made]
    arn = made["repositoryArn"]
    ecr().tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "red"}, {"Key": "x", "Value": ""}])
    ecr().untag_resource(resourceArn=arn, tagKeys=["x"])
    assert ecr().list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "red"}]
    assert ecr().delete_repository(repositoryName=name)["repository"]["repositoryArn"] == arn
    assert code(ecr().describe_repositories, repositoryNames=[name]) == "RepositoryNotFoundException"
    assert code(ecr().list_tags_for_resource, resourceArn=arn) == "RepositoryNotFoundException"


def test_a_repository_is_refused_as_aws_refuses_it(cli: Docker, pair: list[str]) -> None:
    name, _ = pushed(cli, pair, "1")
    again = error(ecr().create_repository, repositoryName=name)
    assert again["Code"] == "RepositoryAlreadyExistsException"
    account = settings.ACCOUNT
    assert again["Message"] == f"The repository with name '{name}' already exists in the registry with id '{account}'"
    full = error(ecr().delete_repository, repositoryName=name)
    assert full["Code"] == "RepositoryNotEmptyException"
    assert full["Message"].endswith("cannot be deleted because it still contains images")
    ecr().delete_repository(repositoryName=name, force=True)
    missing = error(ecr().list_images, repositoryName=name)
    assert missing["Code"] == "RepositoryNotFoundException"
    assert missing["Message"] == f"The repository with name '{name}' does not exist in the registry with id '{account}'"
    ecr().create_repository(repositoryName=name)
    assert ecr().list_images(repositoryName=name)["imageIds"] == []
    for bad in ("Upper", "-a", "a//b", "a/", "a..b"):
        assert code(ecr().create_repository, repositoryName=bad) == "InvalidParameterException", bad
    other = {"repositoryName": name, "registryId": "123456789012"}
    assert code(ecr().list_images, **other) == "RepositoryNotFoundException"
    assert code(ecr("no-where-1").create_repository, repositoryName="app") == "InvalidParameterException"
    wildcard = {"filterType": "WILDCARD", "filter": "dev*"}
    for wrong in (
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
        {"imageTagMutability": "MUTABLE", "imageTagMutabilityExclusionFilters": [wildcard]},
        {"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "key"}},
    ):
        assert code(ecr().create_repository, repositoryName="never", **wrong) == "InvalidParameterException"
    assert code(ecr().describe_repositories, repositoryNames=["never"]) == "RepositoryNotFoundException"


def test_pages() -> None:
    region = "ap-south-1"
    names = sorted(repository(region=region)["repositoryName"] for _ in range(5))
    pages = ecr(region).get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
    found = [[one["repositoryName"] for one in page["repositories"]] for page in pages]
    assert found == [names[:2], names[2:4], names[4:]]
    assert code(ecr(region).describe_repositories, nextToken="guess") == "InvalidParameterException"


# --- images -----------------------------------------------------------------------------------------------------------


def test_images_are_found_by_tag_and_digest(cli: Docker, pair: list[str]) -> None:
    name, (first, second) = pushed(cli, pair, "1", "2")
    asked = [{"imageTag": "1"}, {"imageDigest": second}, {"imageDigest": first, "imageTag": "1"}]
    got = ecr().batch_get_image(repositoryName=name, imageIds=asked)
    assert [one["imageId"]["imageDigest"] for one in got["images"]] == [first, second, first]
    bad = [
        ({"imageTag": "absent"}, "ImageNotFound"),
        ({"imageDigest": ABSENT}, "ImageNotFound"),
        ({"imageDigest": "latest"}, "InvalidImageDigest"),
        ({"imageTag": "a:b"}, "InvalidImageTag"),
        ({"imageDigest": second, "imageTag": "1"}, "ImageTagDoesNotMatchDigest"),
        ({}, "MissingDigestAndTag"),
    ]
    for call in (ecr().batch_get_image, ecr().batch_delete_image):
        failures = call(repositoryName=name, imageIds=[one for one, _ in bad])["failures"]
        assert [one["failureCode"] for one in failures] == [expected for _, expected in bad]
        assert [one["imageId"] for one in failures] == [one for one, _ in bad]
    missing = error(ecr().describe_images, repositoryName=name, imageIds=[{"imageTag": "absent"}])
    assert missing["Code"] == "ImageNotFoundException"
    assert "{imageDigest:'null', imageTag:'absent'}" in missing["Message"]
    pages = ecr().get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 1})
    assert [one["imageDigest"] for page in pages for one in page["imageDetails"]] == [first, second]


def test_a_new_tag_by_put_image(cli: Docker, pair: list[str]) -> None:
    name, (first, second) = pushed(cli, pair, "1", "2")
    text = manifest(name, imageTag="1")
    ecr().put_image(repositoryName=name, imageManifest=text, imageTag="stable")
    assert sorted(tags(name, first)) == ["1", "stable"]
    same = error(ecr().put_image, repositoryName=name, imageManifest=text, imageTag="stable")
    assert same["Code"] == "ImageAlreadyExistsException"
    ecr().put_image(repositoryName=name, imageManifest=manifest(name, imageTag="2"), imageTag="stable")
    assert tags(name, first) == ["1"]
    assert sorted(tags(name, second)) == ["2", "stable"]
    refusals = {
        "ImageDigestDoesNotMatchException": {"imageManifest": text, "imageTag": "x", "imageDigest": ABSENT},
        "LayersNotFoundException": {"imageManifest": text.replace('"sha256:', '"sha256:0000')[:-1] + "}"},
        "InvalidParameterException": {"imageManifest": "{}"},
    }
    broken = json.loads(text)
    broken["layers"][0]["digest"] = ABSENT
    refusals["LayersNotFoundException"] = {"imageManifest": json.dumps(broken)}
    for expected, parameters in refusals.items():
        assert code(ecr().put_image, repositoryName=name, **parameters) == expected
    assert code(ecr().put_image, repositoryName=name, imageManifest=text, imageTag="a b") == "InvalidParameterException"
    assert len(ecr().describe_images(repositoryName=name)["imageDetails"]) == 2


def tags(name: str, digest: str) -> list[str]:
    found = ecr().describe_images(repositoryName=name, imageIds=[{"imageDigest": digest}])["imageDetails"][0]
    return found.get("imageTags", [])


def test_deleting_by_tag_and_by_digest(cli: Docker, pair: list[str]) -> None:
    name, (first, _, second) = pushed(cli, pair[:1], "1", "2", "3")
    assert first == second
    gone = ecr().batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "1"}])
    assert gone["imageIds"] == [{"imageDigest": first, "imageTag": "1"}]
    assert sorted(tags(name, first)) == ["2", "3"]
    gone = ecr().batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": first}])
    assert sorted(one["imageTag"] for one in gone["imageIds"]) == ["2", "3"]
    assert ecr().list_images(repositoryName=name)["imageIds"] == []
    digest = cli.must_push(pair[0], f"{host()}/{name}:only")
    ecr().batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "only"}])
    assert code(ecr().describe_images, repositoryName=name, imageIds=[{"imageDigest": digest}]) == (
        "ImageNotFoundException"
    )


def test_a_manifest_list_keeps_its_images(cli: Docker, pair: list[str]) -> None:
    name, digests = pushed(cli, pair, "amd64", "arm64")
    details = ecr().describe_images(repositoryName=name)["imageDetails"]
    parts = [
        {
            "mediaType": one["imageManifestMediaType"],
            "digest": one["imageDigest"],
            "size": len(manifest(name, imageDigest=one["imageDigest"])),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for one, architecture in zip(details, ("amd64", "arm64"), strict=True)
    ]
    text = json.dumps({"schemaVersion": 2, "mediaType": LIST, "manifests": parts})
    put = ecr().put_image(repositoryName=name, imageManifest=text, imageTag="all", imageManifestMediaType=LIST)["image"]
    found = ecr().describe_images(repositoryName=name, imageIds=[{"imageTag": "all"}])["imageDetails"][0]
    assert found["imageSizeInBytes"] == max(one["imageSizeInBytes"] for one in details)
    kept = ecr().batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digests[0]}])
    assert kept["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    assert code(ecr().start_image_scan, repositoryName=name, imageId=put["imageId"]) == "UnsupportedImageTypeException"
    parts[0]["digest"] = ABSENT
    other = json.dumps({"schemaVersion": 2, "mediaType": LIST, "manifests": parts})
    missing = code(ecr().put_image, repositoryName=name, imageManifest=other, imageTag="x")
    assert missing == "ReferencedImagesNotFoundException"
    assert cli.run("pull", f"{host()}/{name}:all").returncode == 0
    docker.from_env().images.remove(f"{host()}/{name}:all", noprune=True)
    ecr().batch_delete_image(repositoryName=name, imageIds=[put["imageId"], {"imageDigest": digests[0]}])
    assert [one["imageDigest"] for one in ecr().list_images(repositoryName=name)["imageIds"]] == [digests[1]]


def test_an_archived_image_waits_for_its_restore(cli: Docker, pair: list[str]) -> None:
    name, (digest,) = pushed(cli, pair, "1")
    image_id = {"imageDigest": digest}

    def move(target: str) -> str:
        parameters = {"repositoryName": name, "imageId": image_id, "targetStorageClass": target}
        return ecr().update_image_storage_class(**parameters)["imageStatus"]

    assert move("ARCHIVE") == "ARCHIVED"
    assert ecr().list_images(repositoryName=name)["imageIds"] == []
    assert "archived" in cli.run("pull", f"{host()}/{name}:1").stderr
    assert code(ecr().start_image_scan, repositoryName=name, imageId=image_id) == "ImageArchivedException"
    again = {"repositoryName": name, "imageId": image_id, "targetStorageClass": "ARCHIVE"}
    assert code(ecr().update_image_storage_class, **again) == "ImageStorageClassUpdateNotSupportedException"
    listed = ecr().list_images(repositoryName=name, filter={"imageStatus": "ARCHIVED"})["imageIds"]
    assert [one["imageDigest"] for one in listed] == [digest]


def test_artifacts_name_their_subject(cli: Docker, pair: list[str]) -> None:
    name, (digest,) = pushed(cli, pair, "1")
    parsed = json.loads(manifest(name, imageTag="1"))
    artifact = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/example",
        "config": {**parsed["config"], "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{**one, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} for one in parsed["layers"]],
        "subject": {"mediaType": parsed["mediaType"], "digest": digest, "size": 1},
    }
    ecr().put_image(repositoryName=name, imageManifest=json.dumps(artifact))
    found = ecr().list_image_referrers(repositoryName=name, subjectId={"imageDigest": digest})["referrers"]
    assert [one["artifactType"] for one in found] == ["application/example"]
    none = {"repositoryName": name, "subjectId": {"imageDigest": digest}, "filter": {"artifactTypes": ["other"]}}
    assert ecr().list_image_referrers(**none)["referrers"] == []


# --- lifecycle policies -----------------------------------------------------------------------------------------------


def test_a_lifecycle_policy_shows_first_and_then_expires(cli: Docker, pair: list[str]) -> None:
    images = [image() for _ in range(4)]
    name, digests = pushed(cli, images, "a", "b", "c", "d")
    for one in images:
        docker.from_env().images.remove(one, force=True)
    keep_two = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2}
    text = policy({"selection": keep_two, "action": {"type": "expire"}})
    assert code(ecr().get_lifecycle_policy_preview, repositoryName=name) == "LifecyclePolicyPreviewNotFoundException"
    assert code(ecr().start_lifecycle_policy_preview, repositoryName=name) == "LifecyclePolicyNotFoundException"
    ecr().start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=text)
    ecr().get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=name)
    seen = ecr().get_lifecycle_policy_preview(repositoryName=name)
    assert [one["imageDigest"] for one in seen["previewResults"]] == digests[:2]
    assert seen["previewResults"][0]["action"] == {"type": "EXPIRE"}
    assert seen["previewResults"][0]["appliedRulePriority"] == 1
    assert seen["summary"]["expiringImageTotalCount"] == 2
    assert len(ecr().list_images(repositoryName=name)["imageIds"]) == 4
    assert code(ecr().get_lifecycle_policy, repositoryName=name) == "LifecyclePolicyNotFoundException"
    ecr().put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    wait_until(lambda: len(ecr().list_images(repositoryName=name)["imageIds"]) == 2, 40)
    left = [one["imageDigest"] for one in ecr().list_images(repositoryName=name)["imageIds"]]
    assert left == digests[2:]
    assert ecr().get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text
    assert ecr().delete_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text
    assert code(ecr().delete_lifecycle_policy, repositoryName=name) == "LifecyclePolicyNotFoundException"


@pytest.mark.parametrize(
    "selection",
    [
        {"tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 1},
        {"tagStatus": "some", "countType": "imageCountMoreThan", "countNumber": 1},
        {"tagStatus": "any", "tagPrefixList": ["a"], "countType": "imageCountMoreThan", "countNumber": 1},
        {"tagStatus": "any", "countType": "sinceImagePushed", "countNumber": 1},
        {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 0},
        {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": True},
        {"tagStatus": "any", "countType": "imageCountMoreThan", "countUnit": "days", "countNumber": 1},
        {"tagStatus": "any", "countType": "many", "countNumber": 1},
        {"tagStatus": "tagged", "tagPatternList": ["*a*b*c*d*"], "countType": "imageCountMoreThan", "countNumber": 1},
    ],
)
def test_a_wrong_lifecycle_policy_is_refused(selection: dict[str, Any]) -> None:
    name = repository()["repositoryName"]
    text = policy({"selection": selection, "action": {"type": "expire"}})
    refused = error(ecr().put_lifecycle_policy, repositoryName=name, lifecyclePolicyText=text)
    assert refused["Code"] == "InvalidParameterException"
    assert "Lifecycle policy validation failure" in refused["Message"]
    assert code(ecr().get_lifecycle_policy, repositoryName=name) == "LifecyclePolicyNotFoundException"


# --- policies, settings -----------------------------------------------------------------------------------------------


def test_repository_and_registry_policies() -> None:
    name, text = repository()["repositoryName"], json.dumps(DOCUMENT)
    assert code(ecr().get_repository_policy, repositoryName=name) == "RepositoryPolicyNotFoundException"
    ecr().set_repository_policy(repositoryName=name, policyText=text)
    assert ecr().get_repository_policy(repositoryName=name)["policyText"] == text
    assert ecr().delete_repository_policy(repositoryName=name)["policyText"] == text
    assert code(ecr().delete_repository_policy, repositoryName=name) == "RepositoryPolicyNotFoundException"
    statement = DOCUMENT["Statement"][0]
    for wrong in (
        "no JSON",
        "[]",
        "{}",
        json.dumps({**DOCUMENT, "Version": "2020-01-01"}),
        json.dumps({**DOCUMENT, "Statement": [{**statement, "Effect": "Maybe"}]}),
        json.dumps({**DOCUMENT, "Statement": [{**statement, "Action": "s3:GetObject"}]}),
        json.dumps({**DOCUMENT, "Statement": [{key: statement[key] for key in ("Effect", "Action")}]}),
    ):
        refused = code(ecr().set_repository_policy, repositoryName=name, policyText=wrong)
        assert refused == "InvalidParameterException", wrong
    assert code(ecr().get_registry_policy) == "RegistryPolicyNotFoundException"
    ecr().put_registry_policy(policyText=text)
    assert ecr().get_registry_policy()["policyText"] == text
    assert code(ecr("eu-west-1").get_registry_policy) == "RegistryPolicyNotFoundException"
    ecr().delete_registry_policy()
    assert code(ecr().delete_registry_policy) == "RegistryPolicyNotFoundException"


def test_account_settings() -> None:
    assert ecr().get_account_setting(name="BLOB_MOUNTING")["value"] == "ENABLED"
    ecr().put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert ecr().get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
    ecr().put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert code(ecr().put_account_setting, name="BLOB_MOUNTING", value="MAYBE") == "InvalidParameterException"
    assert code(ecr().get_account_setting, name="OTHER") == "InvalidParameterException"


def test_pull_through_cache_rules() -> None:
    rule = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}
    assert ecr().create_pull_through_cache_rule(**rule)["upstreamRegistry"] == "quay"
    assert code(ecr().create_pull_through_cache_rule, **rule) == "PullThroughCacheRuleAlreadyExistsException"
    wrong = {"ecrRepositoryPrefix": "other", "upstreamRegistryUrl": "example.com"}
    assert code(ecr().create_pull_through_cache_rule, **wrong) == "UnsupportedUpstreamRegistryException"
    hub = {"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io"}
    assert code(ecr().create_pull_through_cache_rule, **hub) == "InvalidParameterException"
    found = ecr().describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert [one["ecrRepositoryPrefix"] for one in found] == ["quay"]
    ecr().delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    gone = code(ecr().delete_pull_through_cache_rule, ecrRepositoryPrefix="quay")
    assert gone == "PullThroughCacheRuleNotFoundException"


def test_replication_to_another_region(cli: Docker, pair: list[str]) -> None:
    source, target = ecr("eu-central-1"), ecr("eu-north-1")
    prefix = f"copied-{uuid.uuid4().hex[:6]}"
    destination = {"region": "eu-north-1", "registryId": settings.ACCOUNT}
    filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"}]
    source.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [destination], "repositoryFilters": filters}]}
    )
    assert len(source.describe_registry()["replicationConfiguration"]["rules"]) == 1
    uris = [source.create_repository(repositoryName=name)["repository"]["repositoryUri"] for name in (prefix, "alone")]
    digest = cli.must_push(pair[0], f"{uris[0]}:1")
    cli.must_push(pair[1], f"{uris[1]}:1")

    def status() -> str:
        asked = {"repositoryName": prefix, "imageId": {"imageTag": "1"}}
        return source.describe_image_replication_status(**asked)["replicationStatuses"][0]["status"]

    wait_until(lambda: status() == "COMPLETE", 20)
    copy = target.describe_images(repositoryName=prefix)["imageDetails"][0]
    assert (copy["imageDigest"], copy["imageTags"]) == (digest, ["1"])
    assert cli.run("pull", f"{host()}/eu-north-1/{prefix}:1").returncode == 0
    docker.from_env().images.remove(f"{host()}/eu-north-1/{prefix}:1", noprune=True)
    assert code(target.describe_repositories, repositoryNames=["alone"]) == "RepositoryNotFoundException"
    for wrong in ({**destination, "region": "eu-central-1"}, {**destination, "registryId": "123456789012"}):
        rules = {"rules": [{"destinations": [wrong]}]}
        refused = code(source.put_replication_configuration, replicationConfiguration=rules)
        assert refused == "ValidationException"


def test_a_push_makes_a_repository_where_a_template_says_so(cli: Docker, pair: list[str]) -> None:
    prefix = f"team-{uuid.uuid4().hex[:6]}"
    template = {
        "prefix": prefix,
        "appliedFor": ["CREATE_ON_PUSH"],
        "imageTagMutability": "IMMUTABLE",
        "resourceTags": [{"Key": "team", "Value": "blue"}],
        "repositoryPolicy": json.dumps(DOCUMENT),
    }
    ecr().create_repository_creation_template(**template)
    assert code(ecr().create_repository_creation_template, **template) == "TemplateAlreadyExistsException"
    assert cli.push(pair[0], f"{host()}/{prefix}x/web:1").returncode != 0
    cli.must_push(pair[0], f"{host()}/{prefix}/web:1")
    made = ecr().describe_repositories(repositoryNames=[f"{prefix}/web"])["repositories"][0]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert ecr().list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == template["resourceTags"]
    assert json.loads(ecr().get_repository_policy(repositoryName=f"{prefix}/web")["policyText"]) == DOCUMENT
    ecr().update_repository_creation_template(prefix=prefix, appliedFor=["REPLICATION"])
    assert cli.push(pair[0], f"{host()}/{prefix}/other:1").returncode != 0
    found = ecr().describe_repository_creation_templates(prefixes=[prefix])["repositoryCreationTemplates"]
    assert found[0]["appliedFor"] == ["REPLICATION"]
    ecr().delete_repository_creation_template(prefix=prefix)
    assert code(ecr().delete_repository_creation_template, prefix=prefix) == "TemplateNotFoundException"
    assert code(ecr().create_repository_creation_template, prefix="x", appliedFor=["OTHER"]) in (
        "InvalidParameterException",
        "ValidationException",
    )
