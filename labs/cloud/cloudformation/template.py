"""Templates: JSON and YAML with the short forms of functions, and what is wrong with one before anything is made of it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from labs.cloud.frame.errors import AwsError

INVALID = "ValidationError"
SECTIONS = frozenset({
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform",
    "Resources", "Outputs", "Hooks",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy",
    "CreationPolicy",
})  # fmt: skip
PSEUDO = frozenset({
    "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId",
    "AWS::StackName", "AWS::URLSuffix",
})  # fmt: skip
VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
MOST = {"Resources": 500, "Parameters": 200, "Mappings": 200, "Outputs": 200}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MOST_BYTES, MOST_BYTES_IN_S3 = 51_200, 1_000_000

Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: a date is text, and `!Name` is a function."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    return {str(loader.construct_object(key)): loader.construct_object(value, deep=True) for key, value in node.value}


_Loader.add_multi_constructor("!", _function)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(text: str) -> Template:
    """A template as it is written, checked for its form.

    Raises:
        AwsError: ValidationError, in AWS's words.
    """
    template = _parse(text)
    if not isinstance(template, dict):
        raise AwsError(INVALID, "Template format error: unsupported structure.")
    if unknown := sorted(set(template) - SECTIONS):
        raise AwsError(INVALID, f"Invalid template property or properties [{', '.join(unknown)}]")
    version = template.get("AWSTemplateFormatVersion", "2010-09-09")
    if version != "2010-09-09":
        raise AwsError(INVALID, f"Template format error: Unsupported template version {version}.")
    if template.get("Transform") or template.get("Hooks"):
        raise AwsError(
            INVALID,
            "The local AWS of this course expands no transforms, macros or hooks. Write the resources themselves.",
        )
    for section in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Rules"):
        found = template.get(section)
        if found is not None and not isinstance(found, dict):
            raise AwsError(INVALID, f"Template format error: {section} must be an object.")
        if len(found or {}) > MOST.get(section, 500):
            raise AwsError(
                INVALID,
                f"Template format error: Number of {section.lower()}, {len(found)}, is greater than maximum allowed, "
                f"{MOST[section]}",
            )
    if not template.get("Resources"):
        raise AwsError(INVALID, "Template format error: At least one Resources member must be defined.")
    _check_resources(template)
    _check_references(template)
    order(template)
    return template


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """The names that functions in a value refer to: (name, None) of a Ref, (resource, attribute) of a GetAtt."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if len(value) == 1:
            [(key, argument)] = value.items()
            if key == "Ref":
                yield str(argument), None
                return
            if key == "Fn::GetAtt":
                name, attribute = _attribute(argument)
                yield name, attribute if isinstance(attribute, str) else ""
                yield from references(attribute)
                return
            if key == "Fn::Sub":
                yield from _in_text(argument)
                return
        for item in value.values():
            yield from references(item)


def dependencies(template: Template, logical: str) -> set[str]:
    """The resources that have to be there before another one."""
    resource = template["Resources"][logical]
    wanted = resource.get("DependsOn", [])
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    found = references([resource.get("Properties"), resource.get("Metadata")])
    return (names | {name for name, _ in found}) & set(template["Resources"])


def attributes_used(template: Template, logical: str) -> set[str]:
    """The attributes of a resource that the rest of the template asks for."""
    found = references([template["Resources"], template.get("Outputs", {})])
    return {attribute for name, attribute in found if name == logical and attribute}


def order(template: Template) -> list[str]:
    """The resources, each after those that it needs.

    Raises:
        AwsError: some need each other.
    """
    left = {name: dependencies(template, name) for name in template["Resources"]}
    found: list[str] = []
    while left:
        ready = [name for name, needs in left.items() if not needs & left.keys()]
        if not ready:
            raise AwsError(INVALID, f"Circular dependency between resources: [{', '.join(sorted(left))}]")
        for name in ready:
            found.append(name)
            del left[name]
    return found


def _parse(text: str) -> Any:
    if not text.strip():
        raise AwsError(INVALID, "Template format error: unsupported structure.")
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as problem:
            place = (
                f"(line {problem.lineno}, column {problem.colno})" if isinstance(problem, json.JSONDecodeError) else ""
            )
            raise AwsError(INVALID, f"Template format error: JSON not well-formed. {place}".rstrip()) from None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506, a SafeLoader
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f"(line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise AwsError(INVALID, f"Template format error: YAML not well-formed. {place}".rstrip()) from None


def _check_resources(template: Template) -> None:
    for name, resource in template["Resources"].items():
        if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name):
            raise AwsError(INVALID, f"Template format error: Resource name {name} is non alphanumeric.")
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise AwsError(
                INVALID,
                f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member.",
            )
        for attribute in resource:
            if attribute not in ATTRIBUTES:
                raise AwsError(INVALID, f"Invalid template resource property '{attribute}'")
        if not isinstance(resource.get("Properties") or {}, dict):
            raise AwsError(INVALID, f"Template format error: [/Resources/{name}/Properties] must be an object.")
        if (condition := resource.get("Condition")) and condition not in template.get("Conditions", {}):
            raise AwsError(
                INVALID,
                f"Template format error: Unresolved condition dependency {condition} in the Resources block of the "
                "template",
            )
    for name, output in (template.get("Outputs") or {}).items():
        if not isinstance(output, dict) or "Value" not in output:
            raise AwsError(
                INVALID, f"Template format error: [/Outputs/{name}] Every Outputs member must contain a Value object"
            )


def _check_references(template: Template) -> None:
    resources, parameters = set(template["Resources"]), set(template.get("Parameters") or {})
    for section in ("Resources", "Outputs"):
        missing = set()
        for name, attribute in references(template.get(section) or {}):
            known = resources if attribute is not None else resources | parameters | PSEUDO
            if name not in known:
                missing.add(name)
        if section == "Resources":
            for resource in template["Resources"].values():
                wanted = resource.get("DependsOn", [])
                missing |= ({wanted} if isinstance(wanted, str) else set(wanted)) - resources
        if missing:
            raise AwsError(
                INVALID,
                f"Template format error: Unresolved resource dependencies [{', '.join(sorted(missing))}] in the "
                f"{section} block of the template",
            )
    for name, _ in references(template.get("Conditions") or {}):
        if name not in parameters | PSEUDO:
            raise AwsError(
                INVALID,
                f"Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the "
                "Conditions block of the template",
            )


def _attribute(argument: Any) -> tuple[str, Any]:
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        raise AwsError(
            INVALID,
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
            "resource attribute",
        )
    return argument[0], argument[1]


def _in_text(argument: Any) -> Iterator[tuple[str, str | None]]:
    text, own = argument, {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        text, own = argument
        yield from references(own)
    if not isinstance(text, str):
        raise AwsError(
            INVALID,
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a "
            "string as first argument, and an optional second argument to specify a mapping of values to replace in "
            "the string",
        )
    for found in VARIABLE.findall(text):
        name = found.strip()
        if name in own:
            continue
        resource, dot, attribute = name.partition(".")
        yield (resource, attribute) if dot else (name, None)
