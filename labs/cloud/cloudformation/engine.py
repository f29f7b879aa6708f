"""An operation on a stack, from its first event to its last, in phases that are on record, so that a kill only delays it.

`stack["_operation"]` is what is under way: what the phase is, what was decided and done for each resource, and how the
stack was before. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from labs.cloud.cloudformation import scopes, steps
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.functions import Scope
from labs.cloud.cloudformation.kinds import foreign, table
from labs.cloud.cloudformation.kinds.kind import Work
from labs.cloud.cloudformation.kinds.properties import RefusedError
from labs.cloud.cloudformation.state import DELETED, CloudFormation
from labs.cloud.cloudformation.template import INVALID, Template
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
        operation["resources"] = copy.deepcopy(alive(cfn, stack))
    stack["_operation"] = operation
    cfn.keep(stack)
    go_on(cfn, stack)


def go_on(cfn: CloudFormation, stack: Record) -> None:
    """Works on the operation that is on record, in the background."""
    cfn.background.spawn(_run(cfn, stack), f"stack {stack['StackName']}")


def alive(cfn: CloudFormation, stack: Record) -> dict[str, Record]:
    """The resources of a stack that are there, or may be, by logical id."""
    return {name: one for name, one in cfn.of(stack).items() if one["ResourceStatus"] != DELETED}


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
    kind = operation["kind"]
    failed: dict[str, tuple[str, str]] = {}
    try:
        stack["_imports"] = []
        scope = await scopes.of(cfn, stack, template, stack["_values"])
        active = [name for name, one in template["Resources"].items() if _is_active(scope, one)]
        needs = {name: templates.dependencies(template, name) & set(active) for name in active}

        def stopped() -> bool:
            late = operation.get("deadline") and clock.now() > operation["deadline"]
            return bool(failed or late or operation.get("cancelled") or operation.get("then"))

        async def one(name: str) -> bool:
            verb, problem = await _settle(cfn, stack, operation, template, scope, name, needs[name], stopped)
            if problem is None:
                operation["done"].append(name)
                cfn.keep(stack)
                return True
            failed[name] = (verb, problem)
            return False

        left = {name: wanted - set(operation["done"]) for name, wanted in needs.items()
                if name not in operation["done"]}  # fmt: skip
        await _in_order(left, one, stopped)
        if not stopped():
            _set_outputs(cfn, stack, template, scope)
    except AwsError as problem:
        return _give_up(cfn, stack, operation, problem.message)
    if operation.get("then"):
        return None
    if stopped():
        return _give_up(cfn, stack, operation, _why(operation, failed))
    if kind == "UPDATE":
        gone = [name for name in operation["resources"] if name not in active]
        operation["removed"] = gone
        stack["LastUpdatedTime"] = clock.now()
        cfn.tell(stack, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        return "cleanup"
    cfn.tell(stack, stack, "CREATE_COMPLETE")
    return None


async def _settle(
    cfn: CloudFormation,
    stack: Record,
    operation: dict[str, Any],
    template: Template,
    scope: Scope,
    name: str,
    needs: set[str],
    stopped: Callable[[], bool],
) -> tuple[str, str | None]:
    """Brings one resource to what the template says; what was tried, and why it failed."""
    about = template["Resources"][name]
    before = operation["resources"].get(name)
    used = frozenset(templates.attributes_used(template, name))
    record = cfn.resources.get(f"{stack['StackId']} {name}") if name in operation["how"] or before else None
    how = operation["how"].get(name)
    if record is None or (record["ResourceStatus"] == DELETED and not how):
        record = steps.new_record(stack, name, about["Type"])
        how = "create"
    try:
        wanted = {key: one for key, one in (scope.resolve(about.get("Properties") or {})).items() if one is not None}
        if table.find(cfn, about["Type"]):
            wanted = await scopes.dynamic(wanted, stack["_region"])
        if how is None:
            how = _decide(cfn, operation, before, about["Type"], wanted)
            if how == "replace":
                steps.check_name(cfn, before, wanted, before.get("_properties", {}))
        if how == "replace" and operation["how"].get(name) != "replace":
            operation["superseded"].append({**copy.deepcopy(record), "_superseded": True})
            record = {**steps.new_record(stack, name, about["Type"]),
                      "PhysicalResourceId": "", "ResourceStatus": record["ResourceStatus"]}  # fmt: skip
    except (AwsError, RefusedError) as problem:
        text = problem.message if isinstance(problem, AwsError) else str(problem)
        verb = "create" if how == "create" else "update"
        cfn.tell(stack, record, f"{verb.upper()}_FAILED", text)
        return verb, text
    operation["how"][name] = how
    record["_deps"] = sorted(needs)
    record["_deletion"] = _policy(scope, about, "DeletionPolicy")
    record["_replaced"] = _policy(scope, about, "UpdateReplacePolicy")
    record["_metadata"] = about.get("Metadata")
    cfn.keep_resource(record)
    old = (before or {}).get("_properties", {})
    work = Work(cfn, stack, record, wanted, old if how == "update" else {}, used, stopped)
    if how == "same":
        if table.find(cfn, about["Type"]) is None and not used <= set(record.get("_attributes", {})):
            await foreign.update(work)
        return "update", None
    verb = "CREATE" if how == "create" else "UPDATE"
    work.status = f"{verb}_IN_PROGRESS"
    if record["ResourceStatus"] != work.status:
        cfn.tell(stack, record, work.status, steps.REPLACING if how == "replace" else "")
    problem = await (steps.change(work) if how == "update" else steps.make(work))
    return "create" if how == "create" else "update", problem


def _decide(cfn: CloudFormation, operation: dict[str, Any], before: Record, kind: str, wanted: dict[str, Any]) -> str:
    old = before.get("_properties", {})
    if wanted == old:
        return "update" if operation.get("tags_changed") else "same"
    return "replace" if steps.needs_replacing(cfn, kind, wanted, old) else "update"


def _set_outputs(cfn: CloudFormation, stack: Record, template: Template, scope: Scope) -> None:
    outputs = []
    taken = cfn.exports(stack["_region"])
    for name, about in (template.get("Outputs") or {}).items():
        if not _is_active(scope, about):
            continue
        value = scope.resolve(about["Value"])
        if isinstance(value, list | dict | None):
            raise AwsError(INVALID, "Template format error: The Value field of every Outputs member must evaluate to a "
                           "String.")  # fmt: skip
        if isinstance(value, bool):
            value = "true" if value else "false"
        one = {"OutputKey": name, "OutputValue": str(value)}
        if about.get("Description"):
            one["Description"] = about["Description"]
        if about.get("Export"):
            export = str(scope.resolve(about["Export"]["Name"]))
            other = taken.get(export)
            if other and other["ExportingStackId"] != stack["StackId"]:
                text = (
                    f"Export with name {export} is already exported by stack {other['ExportingStackId'].split('/')[1]}"
                )
                raise AwsError(INVALID, text)
            one["ExportName"] = export
        outputs.append(one)
    kept = {one.get("ExportName") for one in outputs}
    for one in stack.get("Outputs", []):
        export = one.get("ExportName")
        if export and export not in kept and (users := cfn.importers(stack["_region"], export)):
            text = f"Cannot delete export {export} as it is in use by {', '.join(users)}."
            raise AwsError(INVALID, text)
    stack["Outputs"] = outputs


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

    await _in_order(left, attempt, lambda: False)
    if failed:
        cfn.tell(stack, stack, "UPDATE_ROLLBACK_FAILED",
                 f"The following resource(s) failed to update: [{', '.join(failed)}]. ")  # fmt: skip
        stack["_stuck"] = {**operation, "phase": "rollback"}
        return None
    cfn.tell(stack, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    return "rollback-cleanup"


async def _clean_up_rollback(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    new = [one for name, one in alive(cfn, stack).items() if name not in operation["resources"]]
    await _remove_all(cfn, stack, [*operation["made"], *new])
    for one in new:
        cfn.drop_resource(one)
    cfn.tell(stack, stack, "UPDATE_ROLLBACK_COMPLETE")
    return None


async def _clean_up(cfn: CloudFormation, stack: Record, operation: dict[str, Any]) -> str | None:
    """Removes what the update has left over. A failure does not undo the update, as on AWS."""
    gone = [one for name, one in alive(cfn, stack).items() if name in operation["removed"]]
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
    found = list(alive(cfn, stack).values())
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

    await _in_order(needs, one, lambda: False)
    return failed


async def _in_order(
    needs: dict[str, set[str]], work: Callable[[str], Awaitable[bool]], stopped: Callable[[], bool]
) -> None:
    """Works on many names at once, each after those that it needs; on none that needs one that failed."""
    left = {name: set(wanted) for name, wanted in needs.items()}
    running: dict[asyncio.Task[bool], str] = {}
    try:
        while left or running:
            if not stopped():
                for name in [name for name, wanted in left.items() if not wanted]:
                    del left[name]
                    running[asyncio.create_task(work(name))] = name
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name = running.pop(task)
                if task.result():
                    for wanted in left.values():
                        wanted.discard(name)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _is_active(scope: Scope, about: dict[str, Any]) -> bool:
    return "Condition" not in about or scope.holds(about["Condition"])


def _policy(scope: Scope, about: dict[str, Any], which: str) -> str:
    return str(scope.resolve(about.get(which)) or "Delete")
