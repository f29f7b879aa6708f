"""What a request asks for, in IAM's words: actions, and the ARNs of what they are done to.

Which resource an action is about stands in AWS's Service Authorization Reference. Known here are those of the services
that the course's tasks use; for any other the resource is `*`, and a statement about the action counts wherever it is.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel

from labs.cloud.frame import arns, wire
from labs.cloud.frame.http import Incoming

PREFIXES = {"monitoring": "cloudwatch", "email": "ses", "ecr-public": "ecr-public"}  # others are called as they sign
RENAMED = {"lambda:Invoke": "lambda:InvokeFunction", "lambda:InvokeAsync": "lambda:InvokeFunction"}
REST_MODELS = {"lambda": "lambda", "scheduler": "scheduler", "elasticfilesystem": "efs", "eks": "eks", "batch": "batch"}
UNKNOWN_SUFFIX = "-??????"  # of a secret's ARN
_CBOR = re.compile(r"/service/[^/]+/operation/(\w+)")


class Asked(NamedTuple):
    """An action, and the ARN of what it is done to."""

    action: str
    resource: str


def asked(service: str, incoming: Incoming) -> list[Asked]:
    """What a request asks for.

    Args:
        service: the name it is signed for.
        incoming: the request; its body may be left out for S3.

    Returns:
        One for each resource; empty for a request that cannot be read, which its service will refuse.
    """
    if service == "s3":
        return _s3(incoming)
    operation, parameters = _operation(service, incoming)
    if not operation:
        return []
    action = f"{PREFIXES.get(service, service)}:{operation}"
    find = _RESOURCES.get(service, lambda *_: [])
    found = find(operation, parameters, incoming.region) or ["*"]
    return [Asked(RENAMED.get(action, action), resource) for resource in found]


def _operation(service: str, incoming: Incoming) -> tuple[str, dict[str, Any]]:
    """The operation's name, and its parameters as far as they are read without the model."""
    if target := incoming.headers.get("x-amz-target"):
        return target.rpartition(".")[2], _json(incoming.body)
    if match := _CBOR.match(incoming.path):
        return match[1], {}
    if name := REST_MODELS.get(service):
        routes = _routes(name)
        return routes.operation(incoming), {"_path": unquote(incoming.path), **_json(incoming.body)}
    form = dict(parse_qsl(incoming.query) + parse_qsl(incoming.body.decode("utf-8", "replace")))
    return form.get("Action", ""), form


@functools.cache
def _routes(name: str) -> wire.RestJsonWire:
    return wire.RestJsonWire(ServiceModel(Loader().load_service_model(name, "service-2"), service_name=name))


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _s3(incoming: Incoming) -> list[Asked]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""
    bucket, _, key = unquote(incoming.path).lstrip("/").partition("/")
    if not bucket:
        return [Asked("s3:ListAllMyBuckets", "*")]
    if key:
        actions = {"GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}
        return [Asked(f"s3:{actions.get(incoming.method, 'PutObject')}", f"arn:aws:s3:::{bucket}/{key}")]
    actions = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
    if incoming.method == "POST" and "delete" in dict(parse_qsl(incoming.query, keep_blank_values=True)):
        return [Asked("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*")]
    return [Asked(f"s3:{actions.get(incoming.method, 'PutObject')}", f"arn:aws:s3:::{bucket}")]


# --- which resource ---------------------------------------------------------------------------------------------------

Parameters = Mapping[str, Any]
Find = Callable[[str, Parameters, str], list[str]]


def _named(service: str, member: str, form: str) -> Find:
    """For a member that holds a name, an address that ends in it, or an ARN."""

    def find(_operation: str, parameters: Parameters, region: str) -> list[str]:
        value = parameters.get(member)
        values = value if isinstance(value, list) else [value] if value else []
        return [one if one.startswith("arn:") else arns.make(service, region, form.format(one)) for one in values]

    return find


def _sqs(_operation: str, parameters: Parameters, region: str) -> list[str]:
    name = str(parameters.get("QueueUrl") or parameters.get("QueueName") or "").rstrip("/").rpartition("/")[2]
    return [arns.make("sqs", region, name)] if name else []


def _sns(_operation: str, parameters: Parameters, region: str) -> list[str]:
    del region
    return [str(one) for one in (parameters.get("TopicArn") or parameters.get("TargetArn"),) if one]


def _ssm(_operation: str, parameters: Parameters, region: str) -> list[str]:
    names = parameters.get("Names") or [one for one in (parameters.get("Name") or parameters.get("Path"),) if one]
    return [
        one if one.startswith("arn:") else arns.make("ssm", region, f"parameter/{str(one).lstrip('/').split(':')[0]}")
        for one in names
    ]


def _logs(_operation: str, parameters: Parameters, region: str) -> list[str]:
    group = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
    if not group:
        return []
    stream = parameters.get("logStreamName", "")
    return [arns.make("logs", region, f"log-group:{group}:log-stream:{stream}")]


def _events(operation: str, parameters: Parameters, region: str) -> list[str]:
    if operation != "PutEvents":
        return []
    names = {entry.get("EventBusName") or "default" for entry in parameters.get("Entries", [])}
    return [one if one.startswith("arn:") else arns.make("events", region, f"event-bus/{one}") for one in sorted(names)]


def _lambda(_operation: str, parameters: Parameters, region: str) -> list[str]:
    match = re.search(r"/functions/([^/]+)", parameters.get("_path", ""))
    if not match:
        return []
    return [match[1] if match[1].startswith("arn:") else arns.make("lambda", region, f"function:{match[1]}")]


def _ecs(operation: str, parameters: Parameters, region: str) -> list[str]:
    cluster = arns.resource(parameters.get("cluster") or "default").removeprefix("cluster/")

    def full(kind: str, member: str) -> list[str]:
        value = parameters.get(member)
        values = value if isinstance(value, list) else [value] if value else []
        return [
            one if one.startswith("arn:") else arns.make("ecs", region, f"{kind}/{cluster}/{one}") for one in values
        ]

    if operation in ("RunTask", "StartTask"):
        text = str(parameters.get("taskDefinition", ""))
        return [text if text.startswith("arn:") else arns.make("ecs", region, f"task-definition/{text}")]
    found = full("service", "services") or full("service", "service") or full("task", "tasks") or full("task", "task")
    if operation == "CreateService":
        return [arns.make("ecs", region, f"service/{cluster}/{parameters.get('serviceName', '')}")]
    return found


_RESOURCES: dict[str, Find] = {
    "sqs": _sqs,
    "sns": _sns,
    "ssm": _ssm,
    "logs": _logs,
    "events": _events,
    "lambda": _lambda,
    "ecs": _ecs,
    "dynamodb": _named("dynamodb", "TableName", "table/{}"),
    "secretsmanager": _named("secretsmanager", "SecretId", f"secret:{{}}{UNKNOWN_SUFFIX}"),
    "ecr": _named("ecr", "repositoryName", "repository/{}"),
    "kms": _named("kms", "KeyId", "key/{}"),
    "sts": _named("sts", "RoleArn", "{}"),
}
