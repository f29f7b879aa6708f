"""Rules: the operations."""

import secrets
from typing import Any

from labs.cloud.frame import tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import pages, rules_check
from labs.cloud.load_balancing.state import LoadBalancing

MOST = 100  # of a load balancer, default rules not counted


def create(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """CreateRule."""
    listener = lb.listener(request["ListenerArn"])
    balancer = lb.load_balancer(listener["LoadBalancerArn"])
    _require_application(balancer)
    _require_no_transforms(request)
    conditions = rules_check.conditions(request["Conditions"])
    actions = rules_check.actions(lb, balancer, request["Actions"])
    rules_check.require_room(lb, balancer, actions)
    priority = str(request["Priority"])
    present = lb.rules_of(listener["ListenerArn"])
    if any(rule["Priority"] == priority for rule in present):
        raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
    if len(present) > MOST:
        raise AwsError("TooManyRules", f"A listener can have {MOST} rules at most")
    record = {
        "RuleArn": _arn(listener["ListenerArn"]),
        "Priority": priority,
        "Conditions": conditions,
        "Actions": actions,
        "IsDefault": False,
        "_listener": listener["ListenerArn"],
        "_tags": tags.merge([], request.get("Tags", []), key="Key", code="ValidationError"),
    }
    _put(lb, record)
    return {"Rules": [record]}


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeRules."""
    if request.get("ListenerArn") and request.get("RuleArns"):
        raise AwsError("ValidationError", "Cannot specify both listener ARN and rule ARNs")
    if listener := request.get("ListenerArn"):
        found = lb.rules_of(lb.listener(listener)["ListenerArn"])
    elif wanted := request.get("RuleArns"):
        if missing := [arn for arn in wanted if arn not in lb.rules]:
            raise AwsError("RuleNotFound", f"One or more rules not found: {', '.join(missing)}")
        found = [lb.rules[arn] for arn in dict.fromkeys(wanted)]
    else:
        raise AwsError("ValidationError", "You must specify either listener rule ARNs or a listener ARN")
    return pages.page("Rules", found, request)


def modify(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyRule."""
    record = lb.rule(request["RuleArn"])
    if record["IsDefault"]:
        raise AwsError("OperationNotPermitted", f"Default rule '{record['RuleArn']}' cannot be modified")
    if not request.get("Conditions") and not request.get("Actions"):
        raise AwsError("ValidationError", "Either conditions or actions must be specified")
    _require_no_transforms(request)
    balancer = lb.load_balancer(lb.listener(record["_listener"])["LoadBalancerArn"])
    changed = dict(record)
    if request.get("Conditions"):
        changed["Conditions"] = rules_check.conditions(request["Conditions"])
    if request.get("Actions"):
        changed["Actions"] = rules_check.actions(lb, balancer, request["Actions"])
        rules_check.require_room(lb, balancer, changed["Actions"])
    _put(lb, changed)
    return {"Rules": [changed]}


def delete(lb: LoadBalancing, request: Request) -> None:
    """DeleteRule."""
    record = lb.rule(request["RuleArn"])
    if record["IsDefault"]:
        raise AwsError("OperationNotPermitted", f"Default rule '{record['RuleArn']}' cannot be deleted")
    lb.rules.drop(record["RuleArn"])
    lb.wake(lb.listener(record["_listener"])["LoadBalancerArn"])


def set_priorities(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """SetRulePriorities: all of them, or none."""
    wanted: dict[str, str] = {}
    for pair in request["RulePriorities"]:
        record = lb.rule(pair.get("RuleArn", ""))
        if record["IsDefault"]:
            raise AwsError("OperationNotPermitted", f"Default rule '{record['RuleArn']}' cannot be re-prioritized")
        if "Priority" not in pair:
            raise AwsError("ValidationError", "A priority must be specified")
        if record["RuleArn"] in wanted:
            raise AwsError("ValidationError", f"Rule '{record['RuleArn']}' was provided multiple times")
        wanted[record["RuleArn"]] = str(pair["Priority"])
    listeners = {lb.rules[arn]["_listener"] for arn in wanted}
    if len(listeners) > 1:
        raise AwsError("ValidationError", "All rules must belong to the same listener")
    taken = {
        wanted.get(rule["RuleArn"], rule["Priority"]): rule["RuleArn"]
        for listener in listeners
        for rule in lb.rules_of(listener)
        if rule["RuleArn"] not in wanted
    }
    for priority in wanted.values():
        if list(wanted.values()).count(priority) > 1:
            raise AwsError("ValidationError", f"Priority '{priority}' was provided multiple times")
        if priority in taken:
            raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
    changed = [{**lb.rules[arn], "Priority": priority} for arn, priority in wanted.items()]
    for record in changed:
        _put(lb, record)
    return {"Rules": changed}


def put_default(lb: LoadBalancing, listener: Record) -> None:
    """Keeps a listener's default rule in step with its default actions."""
    present = [rule for rule in lb.rules_of(listener["ListenerArn"]) if rule["IsDefault"]]
    record = present[0] if present else {
        "RuleArn": _arn(listener["ListenerArn"]),
        "Priority": "default",
        "Conditions": [],
        "IsDefault": True,
        "_listener": listener["ListenerArn"],
        "_tags": [],
    }  # fmt: skip
    _put(lb, {**record, "Actions": listener["DefaultActions"]})


def _put(lb: LoadBalancing, record: Record) -> None:
    lb.rules.put(record["RuleArn"], record)
    lb.wake(lb.listener(record["_listener"])["LoadBalancerArn"])


def _arn(listener: str) -> str:
    return f"{listener.replace(':listener/', ':listener-rule/')}/{secrets.token_hex(8)}"


def _require_application(balancer: Record) -> None:
    if balancer["Type"] != "application":
        raise AwsError("UnsupportedProtocol", "Rules can be created for listeners of Application Load Balancers only")


def _require_no_transforms(request: Request) -> None:
    if request.get("Transforms"):
        raise AwsError("InvalidConfigurationRequest", "The local AWS of this course has no rule transforms.")
