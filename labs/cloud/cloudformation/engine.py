"""An operation on a stack, from its first event to its last, in phases that are on record: a kill only delays it.

`stack["_operation"]` is what is under way: what the phase is, what was decided and done for each resource, and how the
stack was before. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import copy
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from labs.cloud.cloudformation import scopes, steps
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.forward import Forward
from labs.cloud.cloudformation.kinds.kind import Work
from labs.cloud.cloudformation.order import in_order
from labs.cloud.cloudformation.state import DELETED, CloudFormation
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

# What of a stack an update changes and its rollback brings back.
CHANGING = ("_body", "_parameters", "_values", "Tags", "Outputs", "Description", "Capabilities", "NotificationARNs",
            "_imports", "_policies")  # fmt: skip

log = logging.getLogger(__name__)


def begin(cfn: CloudFormation, stack: Record, kind: str, **about: Any) -> None:
    """Starts an operation whose first event has been told.

    Args:
        cfn: the state.
        stack: its stack.
        kind: `CREATE`, `UPDATE` or `DELETE`.
        about: `before` (the stack as it was), `rollback`, `on_failure`, `retain`, `deadline`.
    """
    operation = {"kind": kind, "phase": "delete" if kind == "DELETE" else "forward", "how": {}, "done": [],
                 "superseded": [], "resources": {}, **about}  # fmt: skip
    if kind == "UPDATE":
        operation["resources"] = copy.deepcopy(cfn.alive(stack))
    stack["_operation"] = operation
    cfn.keep(stack)
    go_on(cfn, stack)


def go_on(cfn: CloudFormation, stack: Record) -> None:
    """Works on the operation that is on record, in the background."""
    cfn.background.spawn(_run(cfn, stack), f"stack {stack['StackName']}")


async def _run(cfn: CloudFormation, stack: Record) -> None:
    phases: Mapping[str, Callable[[CloudFormation, Record, dict[str, Any]], Awaitable[str | None]]] = {
        "forward": _forward, "cleanup": _clean_up, "rollback": _roll_back, "rollback-cleanup": _clean_up_rollback,
        "delete": _delete,
    }  # fmt: skip
    operation = stack["_operation"]
    while (phase := operation["phase"]) is not None:
        operation["phase"] = await phases[phase](cfn, stack, operation)
        cfn.keep(stack)
        cfn.store.flush_quietly()
        if operation["phase"] is None and operation.get("then") == "DELETE":
            begin_delete(cfn, stack, operation.get("then_retain", []))
            return
    stack.pop("_operation", None)
    cfn.keep(stack)
    cfn.store.flush_quietly()
    cfn.changed.beat()


def begin_delete(cfn: CloudFormation, stack: Record, retain: list[str]) -> None:
    """Starts the deletion of a stack."""
    cfn.tell(stack, stack, "DELETE_IN_PROGRESS", "User Initiated")
    begin(cfn, stack, "DELETE", retain=retain)


async def _forward(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    """Makes and changes the resources until they are as the template says."""
    template = templates.read(stack["_body"])
    failed: dict[str, tuple[str, str]] = {}

    def stopped() -> bool:
        late = operation.get("deadline") and clock.now() > operation["deadline"]
        return bool(failed or late or operation.get("cancelled") or operation.get("then"))

    try:
        stack["_imports"] = []
        scope = await scopes.of(cfn, stack, template, stack["_values"])
        forward = Forward(cfn, stack, operation, template, scope, stopped)
        active = forward.active()
        needs = {name: templates.dependencies(template, name) & set(active) for name in active}

        async def one(name: str) -> bool:
            verb, problem = await forward.settle(name, needs[name])
            if problem is not None:
                failed[name] = (verb, problem)
                return False
            operation["done"].append(name)
            cfn.keep(stack)
            return True

        done = set(operation["done"])
        await in_order({name: needs[name] - done for name in active if name not in done}, one, stopped)
        if not stopped():
            forward.set_outputs()
    except AwsError as problem:
        return _give_up(cfn, stack, operation, problem.message)
    if operation.get("then"):
        return None
    if stopped():
        return _give_up(cfn, stack, operation, _why(operation, failed))
    if operation["kind"] == "UPDATE":
        gone = [name for name in operation["resources"] if name not in active]
        operation["removed"] = gone
        stack["LastUpdatedTime"] = clock.now()
        cfn.tell(stack, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        return "cleanup"
    cfn.tell(stack, stack, "CREATE_COMPLETE")
    return None


def _give_up(cfn: CloudFormation, stack: Record, operation: dict[str, Any], why: str) -> str | None:
    """After a failure: what the stack is now, and the next phase."""
    operation["why"] = why
    if operation["kind"] == "UPDATE":
        if not operation.get("rollback", True) and not operation.get("cancelled"):
            cfn.tell(stack, stack, "UPDATE_FAILED", why)
            return None
        cfn.tell(stack, stack, "UPDATE_ROLLBACK_IN_PROGRESS", why)
        return "rollback"
    if operation.get("on_failure") == "DO_NOTHING":
        cfn.tell(stack, stack, "CREATE_FAILED", why)
        return None
    if operation.get("on_failure") == "DELETE":
        cfn.tell(stack, stack, "DELETE_IN_PROGRESS", f"{why} Delete requested by user.")
        return "delete"
    cfn.tell(stack, stack, "ROLLBACK_IN_PROGRESS", f"{why} Rollback requested by user.".replace("  ", " "))
    return "delete"


def _why(operation: dict[str, Any], failed: dict[str, tuple[str, str]]) -> str:
    if failed:
        parts = []
        for verb in ("create", "update"):
            if names := [name for name, (tried, _) in failed.items() if tried == verb]:
                parts.append(f"The following resource(s) failed to {verb}: [{', '.join(names)}].")
        return " ".join(parts) + (" " if operation["kind"] == "UPDATE" else "")
    if operation.get("cancelled"):
        return "User Initiated"
    return "Stack creation time exceeded the specified timeout."


async def _roll_back(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    """Brings the resources of an update back to what they were; what the update made is left for the cleanup."""
    before, how = operation["resources"], operation["how"]
    undone = operation.setdefault("undone", [])
    tags = stack.get("Tags", [])
    for key in CHANGING:
        if key in operation["before"]:
            stack[key] = operation["before"][key]
        else:
            stack.pop(key, None)
    made = operation.setdefault("made", [])
    for name, was in before.items():
        if how.get(name) == "replace" and name not in undone:
            made.append({**cfn.of(stack)[name], "_superseded": True})
            cfn.keep_resource(copy.deepcopy(was))
            cfn.tell(stack, cfn.of(stack)[name], "UPDATE_COMPLETE")
            undone.append(name)
    operation["superseded"] = []

    async def one(name: str) -> bool:
        record = cfn.of(stack)[name]
        tried = record.get("_properties", {}) if name in operation["done"] else {"": "failed half-way"}
        work = Work(cfn, stack, record, before[name].get("_properties", {}), tried, status="UPDATE_IN_PROGRESS")
        record["_stack_tags"] = sorted(tag["Key"] for tag in tags)
        work.used = frozenset(before[name].get("_attributes", {})) if record.get("_hidden") else frozenset()
        cfn.tell(stack, record, "UPDATE_IN_PROGRESS")
        problem = await steps.change(work)
        if problem is None:
            record.update({key: value for key, value in before[name].items() if key.startswith("_") and
                           key not in ("_attributes",)})  # fmt: skip
            cfn.keep_resource(record)
            undone.append(name)
        return problem is None

    left = {name: set(one.get("_deps", [])) & before.keys() for name, one in before.items()
            if how.get(name) == "update" and name not in undone}  # fmt: skip
    left = {name: needs & left.keys() for name, needs in left.items()}
    failed: list[str] = []

    async def attempt(name: str) -> bool:
        if not await one(name):
            failed.append(name)
        return True

    await in_order(left, attempt, lambda: False)
    if failed:
        cfn.tell(stack, stack, "UPDATE_ROLLBACK_FAILED",
                 f"The following resource(s) failed to update: [{', '.join(failed)}]. ")  # fmt: skip
        stack["_stuck"] = {**operation, "phase": "rollback"}
        return None
    cfn.tell(stack, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    return "rollback-cleanup"


async def _clean_up_rollback(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    new = [one for name, one in cfn.alive(stack).items() if name not in operation["resources"]]
    await _remove_all(cfn, stack, [*operation["made"], *new])
    for one in new:
        cfn.drop_resource(one)
    cfn.tell(stack, stack, "UPDATE_ROLLBACK_COMPLETE")
    return None


async def _clean_up(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    """Removes what the update has left over. A failure does not undo the update, as on AWS."""
    gone = [one for name, one in cfn.alive(stack).items() if name in operation["removed"]]
    for one in gone:
        one["_retained"] = one.get("_deletion") in ("Retain", "RetainExceptOnCreate")
    for one in operation["superseded"]:
        one["_retained"] = one.get("_replaced") in ("Retain", "RetainExceptOnCreate")
    await _remove_all(cfn, stack, [*operation["superseded"], *gone])
    for one in gone:
        cfn.drop_resource(one)
    cfn.tell(stack, stack, "UPDATE_COMPLETE")
    return None


async def _delete(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    """Removes all resources, those that need others first. Also the rollback of a creation."""
    rollback = operation["kind"] == "CREATE"
    retain = operation.get("retain", [])
    found = list(cfn.alive(stack).values())
    for one in found:
        kept = ("Retain",) if rollback else ("Retain", "RetainExceptOnCreate")
        one["_retained"] = one.get("_deletion") in kept or one["LogicalResourceId"] in retain
    failed = await _remove_all(cfn, stack, found)
    if failed:
        status = "ROLLBACK_FAILED" if rollback and operation.get("on_failure") != "DELETE" else "DELETE_FAILED"
        cfn.tell(stack, stack, status, f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]. ")
        return None
    if rollback and operation.get("on_failure") != "DELETE":
        stack["Outputs"] = []
        cfn.tell(stack, stack, "ROLLBACK_COMPLETE")
        return None
    stack["DeletionTime"] = clock.now()
    for one in list(cfn.change_sets.values()):
        if one["StackId"] == stack["StackId"]:
            cfn.change_sets.drop(one["ChangeSetId"])
    cfn.tell(stack, stack, DELETED)
    return None


async def _remove_all(cfn: CloudFormation, stack: Record, records: Iterable[Record]) -> list[str]:
    """Removes resources, each after those that need it; the logical ids of those that could not be removed."""
    records = list(records)
    by_key = {f"{place} {one['LogicalResourceId']}": one for place, one in enumerate(records)}
    needs = {
        key: {
            other for other, user in by_key.items()
            if one["LogicalResourceId"] in user.get("_deps", []) and user is not one
        }
        for key, one in by_key.items()
    }  # fmt: skip
    failed: list[str] = []

    async def one(key: str) -> bool:
        if await steps.remove(cfn, stack, by_key[key]) is not None:
            failed.append(by_key[key]["LogicalResourceId"])
            return False
        return True

    await in_order(needs, one, lambda: False)
    return failed
