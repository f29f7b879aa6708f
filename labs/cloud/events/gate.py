"""The door to the backend's EventBridge: targets that the backend does not know are kept here.

The backend gets a queue of ours as the target instead, with a message group that tells rule and target. What it puts
there, `queue.py` brings to the real target. The learner sees the target as given. Besides, what the backend takes and
AWS refuses is refused.
"""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from labs.cloud import protocol
from labs.cloud.events import queue
from labs.cloud.events.bus import DEFAULT, Rules
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, aws, expressions, http, validation, wire
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import StateNotSavedError

OURS = ("ecs", "logs")  # services as targets that the backend takes and does nothing with
_READING = ("Describe", "List", "Test")

Pass = Callable[[dict[str, Any]], Awaitable[protocol.Answer]]
Handler = Callable[["Gate", http.Incoming, dict[str, Any], Pass], Awaitable[protocol.Answer]]


class Gate:
    """An ASGI app in front of the backend, for the signing name `events`.

    Args:
        events: the state.
        rules: told when a rule may have changed.
        backend: the ASGI app of the backend.
    """

    def __init__(self, events: Events, rules: Rules, backend: http.App) -> None:
        self.events = events
        self.model = ServiceModel(Loader().load_service_model("events", "service-2"), service_name="events")
        self._wire = wire.JsonWire(self.model)
        self._rules = rules
        self._backend = backend

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """ASGI: one HTTP request."""
        try:
            incoming = http.head(scope)._replace(body=await http.body(receive))
            operation = self._wire.operation(incoming)
            request = _object(incoming.body)

            async def to_backend(changed: dict[str, Any]) -> protocol.Answer:
                body = incoming.body if changed is request else json.dumps(changed).encode()
                return await http.ask(self._backend, scope, body)

            handler = _HANDLERS.get(operation) if request is not None else None
            answer = await (handler(self, incoming, request, to_backend) if handler else to_backend(request))
        except AwsError as refusal:
            answer = self._wire.write_error(refusal, refusal.status, str(uuid.uuid4()))
        except StateNotSavedError as problem:
            answer = self._wire.write_error(AwsError("InternalException", str(problem)), 500, str(uuid.uuid4()))
        else:
            if not operation.startswith(_READING) and operation != "PutEvents":
                self._rules.forget()
        await http.answer(send, answer)


async def _put_rule(gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass) -> protocol.Answer:
    schedule, pattern = request.get("ScheduleExpression"), request.get("EventPattern")
    if not schedule and not pattern:
        raise AwsError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule:
        if _bus(request) != DEFAULT:
            raise AwsError("ValidationException", "ScheduleExpression is supported only on the default event bus.")
        try:
            expressions.parse_for_rule(str(schedule))
        except expressions.ExpressionError:
            raise AwsError("ValidationException", "Parameter ScheduleExpression is not valid.") from None
    return await to_backend(request)


async def _put_targets(
    gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass
) -> protocol.Answer:
    targets = request.get("Targets")
    if not isinstance(targets, list) or not any(_is_ours(target) for target in targets):
        answer = await to_backend(request)
        mine: list[dict[str, Any]] = []
    else:
        shape = gate.model.operation_model("PutTargets").input_shape
        if problem := validation.wrong_type(request, shape):
            raise AwsError("SerializationException", problem)
        if found := validation.violations(request, shape):
            raise AwsError("ValidationException", validation.message(found))
        mine = [target for target in targets if _is_ours(target)]
        for target in mine:
            _check(target)
        url = await queue.prepare(incoming.region)
        changed = [
            _instead(target, url, _rule_arn(incoming, request)) if target in mine else target for target in targets
        ]
        answer = await to_backend({**request, "Targets": changed})
    if answer.status == 200:
        failed = {entry.get("TargetId") for entry in json.loads(answer.body).get("FailedEntries", [])}
        rule = _rule_arn(incoming, request)
        for target in targets or []:
            if isinstance(target, dict) and target.get("Id") not in failed:
                key = f"{rule} {target.get('Id')}"
                if target in mine:
                    record = {"rule": rule, "name": request["Rule"], "region": incoming.region, "target": target}
                    gate.events.targets.put(key, record)
                else:
                    gate.events.targets.drop(key)
        gate.events.store.flush()
        gate.events.targets_changed.beat()
    return answer


async def _remove_targets(
    gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass
) -> protocol.Answer:
    answer = await to_backend(request)
    if answer.status == 200:
        failed = {entry.get("TargetId") for entry in json.loads(answer.body).get("FailedEntries", [])}
        for target in request.get("Ids", []):
            if target not in failed:
                gate.events.targets.drop(f"{_rule_arn(incoming, request)} {target}")
        gate.events.store.flush()
    return answer


async def _delete_rule(
    gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass
) -> protocol.Answer:
    name = str(request.get("Name"))
    try:
        found = await aws.call(
            "events", "list_targets_by_rule", region=incoming.region, Rule=name, EventBusName=_bus(request)
        )
    except ClientError:  # there is no such rule, or its name is none: the backend says so
        found = {"Targets": []}
    if found["Targets"]:
        raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
    return await to_backend(request)


async def _list_targets(
    gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass
) -> protocol.Answer:
    answer = await to_backend(request)
    if answer.status != 200:
        return answer
    content = json.loads(answer.body)
    rule = _rule_arn(incoming, request)
    content["Targets"] = [_as_given(gate, rule, target) for target in content.get("Targets", [])]
    return answer._replace(body=json.dumps(content).encode())


async def _list_rule_names(
    gate: Gate, incoming: http.Incoming, request: dict[str, Any], to_backend: Pass
) -> protocol.Answer:
    """The rules with a target of ours are those whose records say so; the backend knows only the queue."""
    if not _is_ours({"Arn": request.get("TargetArn")}):
        return await to_backend(request)
    wanted, bus = request["TargetArn"], _bus(request)
    names = {
        record["name"]
        for record in gate.events.targets.values()
        if record["target"]["Arn"] == wanted
        and record["region"] == incoming.region
        and record["rule"] == _rule_arn(incoming, {"Rule": record["name"], "EventBusName": bus})
    }
    operation = gate.model.operation_model("ListRuleNamesByTarget")
    return wire.JsonWire(gate.model).write(operation, {"RuleNames": sorted(names)}, str(uuid.uuid4()))


_HANDLERS: dict[str, Handler] = {
    "PutRule": _put_rule,
    "PutTargets": _put_targets,
    "RemoveTargets": _remove_targets,
    "DeleteRule": _delete_rule,
    "ListTargetsByRule": _list_targets,
    "ListRuleNamesByTarget": _list_rule_names,
}


def _object(body: bytes) -> dict[str, Any] | None:
    """A request's JSON object; None for anything else, which is the backend's to refuse."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _bus(request: dict[str, Any]) -> str:
    """The name of the bus that a request names, by name or ARN."""
    return str(request.get("EventBusName") or DEFAULT).rpartition("/")[2]


def _rule_arn(incoming: http.Incoming, request: dict[str, Any]) -> str:
    bus = _bus(request)
    path = f"rule/{request.get('Rule')}" if bus == DEFAULT else f"rule/{bus}/{request.get('Rule')}"
    return arns.make("events", incoming.region, path)


def _is_ours(target: Any) -> bool:
    arn = target.get("Arn") if isinstance(target, dict) else None
    return isinstance(arn, str) and arn.startswith("arn:") and arn.split(":")[2] in OURS


def _check(target: dict[str, Any]) -> None:
    """Refuses an ECS target that AWS refuses."""
    if constant := target.get("Input"):
        try:
            json.loads(constant)
        except ValueError:
            raise AwsError("ValidationException", f"JSON syntax error in input for target {target['Id']}.") from None
    if target["Arn"].split(":")[2] != "ecs":
        return
    if ":cluster/" not in target["Arn"]:
        reason = f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct format."
        raise AwsError("ValidationException", reason)
    if not target.get("RoleArn"):
        raise AwsError("ValidationException", f"RoleArn is required for target {target['Arn']}.")
    if not target.get("EcsParameters"):
        reason = f"Parameter(s) EcsParameters must be specified for target: {target['Id']}."
        raise AwsError("ValidationException", reason)


def _instead(target: dict[str, Any], queue_arn: str, rule: str) -> dict[str, Any]:
    """The target that the backend gets."""
    group = queue.group(f"{rule} {target['Id']}")
    return {"Id": target["Id"], "Arn": queue_arn, "SqsParameters": {"MessageGroupId": group}}


def _as_given(gate: Gate, rule: str, target: dict[str, Any]) -> dict[str, Any]:
    """A target of the backend's list as the learner gave it."""
    record = gate.events.targets.get(f"{rule} {target.get('Id')}")
    return record["target"] if record and queue.is_ours(target.get("Arn", "")) else target
