"""One attempt to hand something to a target, by the target's own public API."""

import json
import re
import time
import uuid
from typing import Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from labs.cloud.events import run_task
from labs.cloud.events.state import Events
from labs.cloud.frame import aws, roles
from labs.cloud.frame.errors import AwsError

UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
# The documentation's names of services in universal targets that are not botocore's.
_SDK_NAMES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions"}
_THROTTLED = re.compile("Throttl|TooManyRequests|LimitExceeded|Slow ?Down", re.IGNORECASE)
_MISSING = re.compile("NotFound|NonExistent|DoesNotExist|NoSuch", re.IGNORECASE)
_DENIED = re.compile("AccessDenied|Unauthorized|NotAuthorized|Forbidden|AuthorizationError", re.IGNORECASE)


class Starter(NamedTuple):
    """Who starts a task: what its `startedBy` says, and the service that assumes the role."""

    name: str
    principal: str


class InvocationError(Exception):
    """A target did not take it.

    Args:
        code: the error code of the target's service.
        message: what it says.
        again: whether another attempt may succeed: throttling, faults and lack of capacity, but no missing permission
            and no missing target. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
    """

    def __init__(self, code: str, message: str, *, again: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.again = again

    @property
    def kind(self) -> str:
        """The error in EventBridge's own words, as its dead-letter queues have them."""
        if _DENIED.search(self.code):
            return "NO_PERMISSIONS"
        if _MISSING.search(self.code):
            return "NO_RESOURCE"
        if _THROTTLED.search(self.code):
            return "THROTTLING"
        return "ERROR_FROM_TARGET" if self.again else "INVALID_PARAMETER"


async def invoke(
    events: Events, region: str, target: dict[str, Any], content: str, *, started_by: str, principal: str
) -> None:
    """Hands a text to a target.

    Args:
        region: of the rule or schedule.
        target: as EventBridge or EventBridge Scheduler has it.
        content: what it is sent.
        started_by: for a task, e.g. `events-rule/nightly`.
        principal: the service that assumes the target's role, e.g. `events.amazonaws.com`.

    Raises:
        InvocationError: it was not taken.
    """
    arn = target["Arn"]
    try:
        if target.get("RoleArn"):
            action, resource, context = _needs(target)
            await roles.require(target["RoleArn"], principal, action, resource, context)
        if arn.startswith(UNIVERSAL):
            await _universal(events, region, arn, content)
            return
        service = arn.split(":")[2]
        if service not in SENDERS:
            raise InvocationError("UnsupportedTarget", f"The local AWS cannot send to {arn}.", again=False)
        await SENDERS[service](events, region, target, content, Starter(started_by, principal))
    except ClientError as problem:
        error, status = problem.response["Error"], problem.response["ResponseMetadata"]["HTTPStatusCode"]
        again = status >= 500 or status == 429 or bool(_THROTTLED.search(error["Code"]))
        raise InvocationError(error["Code"], error["Message"], again=again) from problem
    except AwsError as problem:
        again = problem.status >= 500 or bool(_THROTTLED.search(problem.code))
        raise InvocationError(problem.code, problem.message, again=again) from problem
    except roles.RoleError as problem:
        raise InvocationError("AccessDeniedException", str(problem), again=False) from problem
    except BotoCoreError as problem:
        raise InvocationError("ConnectionFailure", str(problem), again=True) from problem


def universal_call(arn: str) -> tuple[str, str, ServiceModel]:
    """The service and operation of a universal target, e.g. `arn:aws:scheduler:::aws-sdk:ecs:runTask`.

    Returns:
        botocore's name of the service, the operation, the service's model.

    Raises:
        LookupError: there is no such service or operation.
    """
    service, _, action = arn.removeprefix(UNIVERSAL).partition(":")
    name = _SDK_NAMES.get(service, service)
    loader = Loader()
    if name not in loader.list_available_services("service-2"):
        raise LookupError(service)
    model = ServiceModel(loader.load_service_model(name, "service-2"), service_name=name)
    for operation in model.operation_names:
        if operation.lower() == action.lower():
            return name, operation, model
    raise LookupError(action)


def members(value: Any, shape: Shape) -> Any:
    """JSON with member names that begin with a capital, as universal targets have them, in the model's own names."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        known = ((names.get(key.lower(), key), item) for key, item in value.items())
        return {key: members(item, shape.members[key]) if key in shape.members else item for key, item in known}
    if shape.type_name == "list" and isinstance(value, list):
        return [members(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: members(item, shape.value) for key, item in value.items()}
    return value


def _needs(target: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    """The permission that a target's role must give: action, resource, condition keys."""
    arn = target["Arn"]
    if arn.startswith(UNIVERSAL):
        name, operation, model = universal_call(arn)
        prefix = model.metadata.get("signingName", model.metadata["endpointPrefix"])
        action = "InvokeFunction" if (name, operation) == ("lambda", "Invoke") else operation
        return f"{prefix}:{action}", "*", {}
    if "EcsParameters" in target:
        return "ecs:RunTask", target["EcsParameters"]["TaskDefinitionArn"], {"ecs:cluster": arn}
    action = {
        "sqs": "SendMessage", "sns": "Publish", "lambda": "InvokeFunction", "events": "PutEvents",
        "states": "StartExecution", "kinesis": "PutRecord", "logs": "PutLogEvents",
    }.get(arn.split(":")[2], "Invoke")  # fmt: skip
    return f"{arn.split(':')[2]}:{action}", arn, {}


async def _sqs(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place, name = target["Arn"].split(":")[3], target["Arn"].rpartition(":")[2]
    url = (await aws.call("sqs", "get_queue_url", region=place, QueueName=name))["QueueUrl"]
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    more = {"MessageGroupId": group} if group else {}
    await aws.call("sqs", "send_message", region=place, QueueUrl=url, MessageBody=content, **more)


async def _sns(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place = target["Arn"].split(":")[3]
    await aws.call("sns", "publish", region=place, TopicArn=target["Arn"], Message=content)


async def _lambda(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place = target["Arn"].split(":")[3]
    await aws.call(
        "lambda", "invoke", region=place, FunctionName=target["Arn"], InvocationType="Event", Payload=content
    )


async def _logs(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place, group = target["Arn"].split(":")[3], target["Arn"].split(":log-group:")[1].removesuffix(":*")
    stream = str(uuid.uuid4())  # as on AWS, where each batch of events gets a stream with such a name
    line = {"timestamp": int(time.time() * 1000), "message": content}
    try:
        shaped = json.loads(content)
    except ValueError:
        shaped = None
    if isinstance(shaped, dict) and set(shaped) == {"timestamp", "message"}:  # the one template that AWS allows
        line = {"timestamp": int(shaped["timestamp"]), "message": str(shaped["message"])}
    await aws.call("logs", "create_log_stream", region=place, logGroupName=group, logStreamName=stream)
    await aws.call("logs", "put_log_events", region=place, logGroupName=group, logStreamName=stream, logEvents=[line])


async def _states(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place = target["Arn"].split(":")[3]
    await aws.call("stepfunctions", "start_execution", region=place, stateMachineArn=target["Arn"], input=content)


async def _kinesis(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    place, key = target["Arn"].split(":")[3], target.get("KinesisParameters", {}).get("PartitionKey")
    await aws.call(
        "kinesis",
        "put_record",
        region=place,
        StreamARN=target["Arn"],
        Data=content.encode(),
        PartitionKey=key or str(uuid.uuid4()),
    )


async def _put_events(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    wanted = target["EventBridgeParameters"]
    entry = {
        "EventBusName": target["Arn"],
        "Source": wanted["Source"],
        "DetailType": wanted["DetailType"],
        "Detail": content,
    }
    answer = await aws.call("events", "put_events", region=target["Arn"].split(":")[3], Entries=[entry])
    if answer["FailedEntryCount"]:
        failed = answer["Entries"][0]
        raise InvocationError(failed["ErrorCode"], failed.get("ErrorMessage", ""), again=False)


async def _ecs(events: Events, region: str, target: dict[str, Any], content: str, task: Starter) -> None:
    wanted = run_task.parameters(target["Arn"], target["EcsParameters"], content, task.name)
    await _may_pass_roles(events, region, target["RoleArn"], wanted, task.principal)
    answer = await events.services.call("ecs", "RunTask", target["Arn"].split(":")[3] or region, **wanted)
    if answer.get("failures") and not answer.get("tasks"):
        failure = answer["failures"][0]
        raise InvocationError(failure.get("reason", "UNKNOWN"), failure.get("detail") or "No task started.", again=True)


async def _may_pass_roles(events: Events, region: str, role_arn: str, wanted: dict[str, Any], principal: str) -> None:
    """A task's own roles are passed to it by the role that starts it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/CWE_IAM_role.html
    """
    found = await events.services.call("ecs", "DescribeTaskDefinition", region, taskDefinition=wanted["taskDefinition"])
    for name in ("executionRoleArn", "taskRoleArn"):
        passed = wanted.get("overrides", {}).get(name) or found["taskDefinition"].get(name)
        if passed:
            context = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            await roles.require(role_arn, principal, "iam:PassRole", passed, context)


async def _universal(events: Events, region: str, arn: str, content: str) -> None:
    name, operation, model = universal_call(arn)
    shape = model.operation_model(operation).input_shape
    wanted = members(json.loads(content or "{}"), shape) if shape else {}
    signing_name = model.metadata.get("signingName", model.metadata["endpointPrefix"])
    if signing_name in events.services:
        await events.services.call(signing_name, operation, region, **wanted)
    else:
        await aws.call(name, xform_name(operation), region=region, **wanted)


SENDERS = {
    "ecs": _ecs, "events": _put_events, "kinesis": _kinesis, "lambda": _lambda, "logs": _logs, "sns": _sns,
    "sqs": _sqs, "states": _states,
}  # fmt: skip
