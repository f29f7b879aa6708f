"""Lifecycle hooks of service deployments: Lambda functions that are asked, and pauses that somebody ends.

A function answers with `{"hookStatus": "SUCCEEDED" | "FAILED" | "IN_PROGRESS"}`, and may say with `callBackDelay` after
how many seconds it wants to be asked again.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html
"""

import json
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws, clock

AWAITING, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT = (
    "AWAITING_ACTION",
    "IN_PROGRESS",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
)
CONTINUE, ROLLBACK = "CONTINUE", "ROLLBACK"
AGAIN_SECONDS = clock.lesson(30.0)  # after IN_PROGRESS without a callBackDelay
OPEN = (AWAITING, IN_PROGRESS)


def are_over(
    ecs: Ecs, service: dict[str, Any], record: dict[str, Any], point: str, stage: str
) -> tuple[bool, float | None]:
    """Whether the hooks of a stage are over; begins them the first time.

    Args:
        ecs: the state.
        service: the service's record.
        record: the service deployment's record, changed in place.
        point: where in the deployment this is; a stage may come more than once.
        stage: the stage that the hooks are for.

    Returns:
        Whether they all have succeeded, and the seconds until they have to be looked at again. One that has failed is
        for `failure` to tell.
    """
    if record.get("_hooks_at") != point:
        record["_hooks_at"] = point
        wanted = service["deploymentConfiguration"].get("lifecycleHooks", [])
        record["lifecycleHookDetails"] = [_begin(one, stage) for one in wanted if stage in one["lifecycleStages"]]
        _put(ecs, record)
    waits = []
    for one in record["lifecycleHookDetails"]:
        if one["status"] in OPEN and clock.now() >= one["expiresAt"]:
            one["status"] = TIMED_OUT
            _put(ecs, record)
        elif one["status"] in OPEN:
            due = one["expiresAt"] if one["status"] == AWAITING else min(one["expiresAt"], one["_next"])
            waits.append(max(0.0, due - clock.now()))
    done = all(_is_passed(one) for one in record["lifecycleHookDetails"])
    return done, None if done else min(waits, default=None)


def failure(record: dict[str, Any]) -> str | None:
    """Why the deployment has to go back, in a sentence without an end; None if no hook wants that."""
    for one in record.get("lifecycleHookDetails", []):
        name = one.get("targetArn", one["hookId"])
        if one["status"] == FAILED:
            return f"lifecycle hook {name} failed at {one['_stage']}"
        if one["status"] == TIMED_OUT and one["timeoutAction"] == ROLLBACK:
            return f"lifecycle hook {name} timed out at {one['_stage']}"
    return None


def decide(ecs: Ecs, record: dict[str, Any], hook_id: str, action: str) -> bool:
    """Ends a pause. Returns whether there was one with this id."""
    for one in record.get("lifecycleHookDetails", []):
        if one["hookId"] == hook_id and one["status"] == AWAITING:
            one["status"] = SUCCEEDED if action == CONTINUE else FAILED
            _put(ecs, record)
            return True
    return False


async def call(ecs: Ecs, service: dict[str, Any], record: dict[str, Any]) -> None:
    """Asks the functions that are due."""
    for one in record.get("lifecycleHookDetails", []):
        if one["status"] == IN_PROGRESS and one["_next"] <= clock.now():
            status, delay = await _ask(service, record, one)
            if one["status"] == IN_PROGRESS:
                one["status"], one["_next"] = status, clock.now() + delay
                _put(ecs, record)


async def _ask(service: dict[str, Any], record: dict[str, Any], hook: dict[str, Any]) -> tuple[str, float]:
    """What a function says: the status, and the seconds until it is to be asked again."""
    payload = {
        "executionId": hook["hookId"],
        "lifecycleStage": hook["_stage"],
        "resourceArn": record["serviceDeploymentArn"],
        "executionDetails": {
            "serviceArn": service["serviceArn"],
            "targetServiceRevisionArn": record["targetServiceRevision"]["arn"],
            "productionTrafficWeights": _weights(record, "requestedProductionTrafficWeight"),
            "testTrafficWeights": _weights(record, "requestedTestTrafficWeight"),
        },
        **({"hookDetails": hook["_details"]} if "_details" in hook else {}),
    }
    region = arns.region(service["serviceArn"])
    try:
        answer = await aws.call(
            "lambda", "invoke", region=region, FunctionName=hook["targetArn"], Payload=json.dumps(payload).encode()
        )
        said = json.loads(answer["Payload"].read() or b"null")
    except (ClientError, BotoCoreError, ValueError):
        return FAILED, 0.0
    if answer.get("FunctionError") or not isinstance(said, dict):
        return FAILED, 0.0
    status, delay = said.get("hookStatus"), said.get("callBackDelay", AGAIN_SECONDS)
    if status not in (SUCCEEDED, IN_PROGRESS):
        return FAILED, 0.0
    return status, delay if isinstance(delay, (int, float)) and delay > 0 else AGAIN_SECONDS


def _begin(hook: dict[str, Any], stage: str) -> dict[str, Any]:
    limit = hook["timeoutConfiguration"]
    pauses = hook["targetType"] == "PAUSE"
    return {
        "hookId": str(uuid.uuid4()),
        "targetType": hook["targetType"],
        **({} if pauses else {"targetArn": hook["hookTargetArn"]}),
        "status": AWAITING if pauses else IN_PROGRESS,
        "expiresAt": clock.now() + clock.lesson(limit["timeoutInMinutes"] * 60.0),
        "timeoutAction": limit["action"],
        "_stage": stage,
        "_next": 0.0,
        **({"_details": hook["hookDetails"]} if "hookDetails" in hook else {}),
    }


def _is_passed(hook: dict[str, Any]) -> bool:
    return hook["status"] == SUCCEEDED or (hook["status"] == TIMED_OUT and hook["timeoutAction"] == CONTINUE)


def _weights(record: dict[str, Any], member: str) -> dict[str, float]:
    revisions = [record["targetServiceRevision"], *record["sourceServiceRevisions"]]
    return {one["arn"]: one[member] for one in revisions if member in one}


def _put(ecs: Ecs, record: dict[str, Any]) -> None:
    ecs.service_deployments.put(record["serviceDeploymentArn"], record)
