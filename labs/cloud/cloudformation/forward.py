"""Brings the resources of a stack to what its template says, and its outputs."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs.cloud.cloudformation import scopes, steps
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.functions import Scope, text
from labs.cloud.cloudformation.kinds import foreign, table
from labs.cloud.cloudformation.kinds.kind import Work
from labs.cloud.cloudformation.kinds.properties import RefusedError
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.cloudformation.template import INVALID, Template
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

CREATE, UPDATE, REPLACE, SAME = "create", "update", "replace", "same"


@dataclass
class Forward:
    """One creation or update of a stack.

    Args:
        cfn: the state.
        stack: the stack.
        operation: what is under way, see `engine`.
        template: the stack's.
        scope: resolves the template's functions.
        stopped: whether no other resource is to be begun.
    """

    cfn: CloudFormation
    stack: Record
    operation: dict[str, Any]
    template: Template
    scope: Scope
    stopped: Callable[[], bool]

    def active(self) -> list[str]:
        """The resources whose condition holds."""
        return [name for name, about in self.template["Resources"].items() if self._is_active(about)]

    async def settle(self, name: str, needs: set[str]) -> tuple[str, str | None]:
        """Brings one resource to what the template says.

        Args:
            name: its logical id.
            needs: the resources that it needs, which are there.

        Returns:
            What was tried, `create` or `update`, and why it failed: None if it did not.
        """
        about, how = self.template["Resources"][name], self.operation["how"].get(name)
        before = self.operation["resources"].get(name)
        record = self.cfn.resources.get(f"{self.stack['StackId']} {name}") if how or before else None
        if record is None:
            record, how = steps.new_record(self.stack, name, about["Type"]), CREATE
        try:
            wanted = await self._properties(about)
            if how is None:
                how, record = self._decide(record, before, wanted)
        except (AwsError, RefusedError) as problem:
            why = problem.message if isinstance(problem, AwsError) else str(problem)
            verb = CREATE if how == CREATE else UPDATE
            self.cfn.tell(self.stack, record, f"{verb.upper()}_FAILED", why)
            return verb, why
        self.operation["how"][name] = how
        record["_deps"] = sorted(needs)
        record["_deletion"] = self._policy(about, "DeletionPolicy")
        record["_replaced"] = self._policy(about, "UpdateReplacePolicy")
        record["_metadata"] = about.get("Metadata")
        self.cfn.keep_resource(record)
        verb = CREATE if how == CREATE else UPDATE
        used = frozenset(templates.attributes_used(self.template, name))
        old = before.get("_properties", {}) if before and how == UPDATE else {}
        status = f"{verb.upper()}_IN_PROGRESS"
        work = Work(self.cfn, self.stack, record, wanted, old, used, self.stopped, status)
        if how == SAME:
            if table.find(self.cfn, about["Type"]) is None and not used <= set(record.get("_attributes", {})):
                await foreign.update(work)  # nothing changes, but more is asked of it
            return verb, None
        if record["ResourceStatus"] != status:
            self.cfn.tell(self.stack, record, status, steps.REPLACING if how == REPLACE else "")
        return verb, await (steps.change(work) if how == UPDATE else steps.make(work))

    def set_outputs(self) -> None:
        """Works out the outputs.

        Raises:
            AwsError: one is no text, or an export is another stack's, or is in use and would go.
        """
        taken, region = self.cfn.exports(self.stack["_region"]), self.stack["_region"]
        outputs = [self._output(name, about, taken) for name, about in (self.template.get("Outputs") or {}).items()
                   if self._is_active(about)]  # fmt: skip
        kept = {one.get("ExportName") for one in outputs}
        for one in self.stack.get("Outputs", []):
            export = one.get("ExportName")
            if export and export not in kept and (users := self.cfn.importers(region, export)):
                raise AwsError(INVALID, f"Cannot delete export {export} as it is in use by {', '.join(users)}.")
        self.stack["Outputs"] = outputs

    def _output(self, name: str, about: dict[str, Any], taken: dict[str, Any]) -> dict[str, str]:
        value = self.scope.resolve(about["Value"])
        if isinstance(value, list | dict | None):
            raise AwsError(
                INVALID, "Template format error: The Value field of every Outputs member must evaluate to a String."
            )
        found = {"OutputKey": name, "OutputValue": text(value)}
        if about.get("Description"):
            found["Description"] = str(about["Description"])
        if about.get("Export"):
            export = str(self.scope.resolve(about["Export"]["Name"]))
            owner = taken.get(export, {}).get("ExportingStackId", self.stack["StackId"])
            if owner != self.stack["StackId"]:
                why = f"Export with name {export} is already exported by stack {owner.split('/')[1]}"
                raise AwsError(INVALID, why)
            found["ExportName"] = export
        return found

    async def _properties(self, about: dict[str, Any]) -> dict[str, Any]:
        found = self.scope.resolve(about.get("Properties") or {})
        wanted = {key: one for key, one in found.items() if one is not None}
        return await scopes.dynamic(wanted, self.stack["_region"]) if table.find(self.cfn, about["Type"]) else wanted

    def _decide(self, record: Record, before: Record, wanted: dict[str, Any]) -> tuple[str, Record]:
        """What is to be done with a resource that is there, and the record to go on with."""
        old, kind = before.get("_properties", {}), record["ResourceType"]
        if "_properties" not in before:  # it failed when the stack was made, and was left as it was
            replaces = before.get("PhysicalResourceId") or before.get("_hidden")
            if not replaces:
                return CREATE, record
        elif wanted == old:
            return (UPDATE if self.operation.get("tags_changed") else SAME), record
        elif not steps.needs_replacing(self.cfn, kind, wanted, old):
            return UPDATE, record
        steps.check_name(self.cfn, before, wanted, old)
        self.operation["superseded"].append({**copy.deepcopy(record), "_superseded": True})
        new = steps.new_record(self.stack, record["LogicalResourceId"], kind)
        return REPLACE, {**new, "ResourceStatus": record["ResourceStatus"]}

    def _is_active(self, about: dict[str, Any]) -> bool:
        return "Condition" not in about or self.scope.holds(about["Condition"])

    def _policy(self, about: dict[str, Any], which: str) -> str:
        return str(self.scope.resolve(about.get(which)) or "Delete")
