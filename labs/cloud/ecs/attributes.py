"""Operations on the custom attributes of container instances.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html#attributes
"""

import re
from typing import Any

from labs.cloud.ecs import lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST = 10  # custom attributes of a resource, and attributes of one request
TARGET_TYPE = "container-instance"
_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9_.@/\\: -]{1,128}(?<! )")


def put_attributes(ecs: Ecs, request: Request) -> dict[str, Any]:
    """PutAttributes: all of them or none.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    given = _given(request)
    wanted: dict[str, dict[str, dict[str, Any]]] = {}
    for attribute in given:
        if not _NAME.fullmatch(attribute["name"]):
            raise AwsError("InvalidParameterException", f"The attribute name '{attribute['name']}' is invalid.")
        if "value" in attribute and not _VALUE.fullmatch(attribute["value"]):
            raise AwsError("InvalidParameterException", f"The attribute value '{attribute['value']}' is invalid.")
        target = _target(ecs, cluster, attribute)
        kept = wanted.setdefault(target, {one["name"]: one for one in _of(ecs, target)})
        kept[attribute["name"]] = _record(attribute, target)
    if any(len(kept) > MOST for kept in wanted.values()):
        raise AwsError(
            "AttributeLimitExceededException", f"You can apply up to {MOST} custom attributes for each resource."
        )
    for target, kept in wanted.items():
        ecs.attributes.put(target, {"clusterArn": cluster["clusterArn"], "attributes": list(kept.values())})
    return {"attributes": [_record(one, _target(ecs, cluster, one)) for one in given]}


def delete_attributes(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteAttributes.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAttributes.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    found = [(_target(ecs, cluster, attribute), attribute["name"]) for attribute in _given(request)]
    gone = []
    for target, name in found:
        kept = _of(ecs, target)
        gone += [one for one in kept if one["name"] == name]
        left = [one for one in kept if one["name"] != name]
        if left:
            ecs.attributes.put(target, {"clusterArn": cluster["clusterArn"], "attributes": left})
        else:
            ecs.attributes.drop(target)
    return {"attributes": gone}


def list_attributes(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListAttributes: an instance's own, told by its agent, and the custom ones.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAttributes.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    name, value = request.get("attributeName"), request.get("attributeValue")
    if value is not None and name is None:
        raise AwsError(
            "InvalidParameterException", "You must also specify an attribute name to filter by an attribute value."
        )
    found = []
    for arn, instance in ecs.container_instances.items():
        if instance["clusterArn"] == cluster["clusterArn"] and instance["status"] != lookup.INACTIVE:
            found += [_record(one, arn) for one in [*instance.get("attributes", []), *_of(ecs, arn)]]
    wanted = [
        one for one in found if (name is None or one["name"] == name) and (value is None or one.get("value") == value)
    ]
    part, token = paging.page(wanted, request.get("maxResults"), request.get("nextToken"))
    return {"attributes": part, "nextToken": token}


def _given(request: Request) -> list[dict[str, Any]]:
    given = request["attributes"]
    if not 1 <= len(given) <= MOST:
        raise AwsError("InvalidParameterException", f"attributes must have between 1 and {MOST} members.")
    return given


def _target(ecs: Ecs, cluster: dict[str, Any], attribute: dict[str, Any]) -> str:
    """The ARN of an attribute's container instance."""
    text = attribute.get("targetId")
    if not text:
        raise AwsError("InvalidParameterException", "The target ID of an attribute cannot be empty.")
    if not text.startswith("arn:") and attribute.get("targetType") != TARGET_TYPE:
        raise AwsError(
            "InvalidParameterException", "The target type is required if you use the short form ID for a resource."
        )
    arn = lookup.container_instance_arn(cluster, text)
    instance = ecs.container_instances.get(arn)
    if instance is None or instance["status"] == lookup.INACTIVE:
        raise AwsError("TargetNotFoundException", f"The specified target wasn't found: {text}.")
    return arn


def _of(ecs: Ecs, target: str) -> list[dict[str, Any]]:
    return ecs.attributes[target]["attributes"] if target in ecs.attributes else []


def _record(attribute: dict[str, Any], target: str) -> dict[str, Any]:
    value = {"value": attribute["value"]} if "value" in attribute else {}
    return {"name": attribute["name"], **value, "targetType": TARGET_TYPE, "targetId": target}


OPERATIONS = {
    "DeleteAttributes": delete_attributes,
    "ListAttributes": list_attributes,
    "PutAttributes": put_attributes,
}
