"""The functions of templates, resolved.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.cloud.cloudformation.template import INVALID
from labs.cloud.frame.errors import AwsError

NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass
class Scope:
    """What the functions of one stack know.

    Args:
        values: of parameters and pseudo parameters: strings, and lists for list types.
        mappings: the template's.
        conditions: the template's, as written.
        ref: what `Ref` of a resource is.
        attribute: what `Fn::GetAtt` of a resource is.
        export: the value of an export.
        zones: the Availability Zones of the stack's region.
    """

    values: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    ref: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    export: Callable[[str], str]
    zones: list[str]
    _decided: dict[str, bool] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """A value without functions.

        Raises:
            AwsError: ValidationError, in AWS's words.
        """
        found = self._resolve(value)
        return None if found is NO_VALUE else found

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is true."""
        if condition not in self._decided:
            if condition not in self.conditions:
                raise AwsError(INVALID, f"Template error: unresolved condition dependency: {condition}")
            self._decided[condition] = self._decide(self.conditions[condition])
        return self._decided[condition]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            found = [self._resolve(item) for item in value]
            return [item for item in found if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(key, argument)] = value.items()
            if key == "Ref":
                return self._ref(argument)
            if key == "Condition" and isinstance(argument, str) and argument in self.conditions:
                return self.holds(argument)
            if key.startswith("Fn::"):
                if key not in _FUNCTIONS:
                    raise AwsError(INVALID, f"Template error: the function {key} is not supported in this template.")
                return _FUNCTIONS[key](self, argument)
        found = {key: self._resolve(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not NO_VALUE}

    def _ref(self, name: Any) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.ref(str(name))

    def _decide(self, expression: Any) -> bool:
        if isinstance(expression, dict) and len(expression) == 1:
            [(key, argument)] = expression.items()
            if key == "Condition":
                return self.holds(str(argument))
            if key == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
                left, right = (self.resolve(item) for item in argument)
                return text(left) == text(right) if not isinstance(left, list) else left == right
            if key == "Fn::Not" and isinstance(argument, list) and len(argument) == 1:
                return not self._decide(argument[0])
            if key in ("Fn::And", "Fn::Or") and isinstance(argument, list) and 2 <= len(argument) <= 10:
                decided = [self._decide(item) for item in argument]
                return all(decided) if key == "Fn::And" else any(decided)
        raise AwsError(
            INVALID,
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
        )


def text(value: Any) -> str:
    """A scalar as CloudFormation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _wrong(function: str, need: str) -> AwsError:
    return AwsError(INVALID, f"Template error: {function} {need}")


def _get_att(scope: Scope, argument: Any) -> Any:
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(name, str(scope.resolve(attribute)))


def _sub(scope: Scope, argument: Any) -> str:
    pattern, own = argument if isinstance(argument, list) else (argument, {})

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return f"${{{found[2]}}}"
        name = found[2].strip()
        if name in own:
            value = scope.resolve(own[name])
        elif "." in name and name not in scope.values:
            value = scope.attribute(*name.split(".", 1))
        else:
            value = scope.resolve({"Ref": name})
        if isinstance(value, list | dict) or value is None:
            raise _wrong("variable", f"{name} in Fn::Sub expression does not resolve to a string")
        return text(value)

    return _VARIABLE.sub(replace, pattern)


def _join(scope: Scope, argument: Any) -> str:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        raise _wrong(
            "every Fn::Join object", "requires two parameters, (1) a string delimiter and (2) a list of strings"
        )
    items = scope.resolve(argument[1])
    if not isinstance(items, list):
        raise _wrong(
            "every Fn::Join object", "requires two parameters, (1) a string delimiter and (2) a list of strings"
        )
    return argument[0].join(text(item) for item in items)


def _select(scope: Scope, argument: Any) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        raise _wrong("Fn::Select", "requires a list argument with two elements: an integer index and a list")
    index, items = scope.resolve(argument[0]), scope.resolve(argument[1])
    if not isinstance(items, list) or not re.fullmatch(r"\d+", str(index)):
        raise _wrong("Fn::Select", "requires a list argument with two elements: an integer index and a list")
    if int(index) >= len(items):
        raise _wrong("Fn::Select", f"cannot select nonexistent value at index {index}")
    return items[int(index)]


def _split(scope: Scope, argument: Any) -> list[str]:
    if not isinstance(argument, list) or len(argument) != 2 or not argument[0]:
        raise _wrong("every Fn::Split object", "requires two parameters, (1) a string delimiter and (2) a string")
    whole = scope.resolve(argument[1])
    if not isinstance(whole, str):
        raise _wrong("every Fn::Split object", "requires two parameters, (1) a string delimiter and (2) a string")
    return whole.split(argument[0])


def _if(scope: Scope, argument: Any) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise _wrong("Fn::If", "requires a list argument with three elements")
    return scope._resolve(argument[1] if scope.holds(str(argument[0])) else argument[2])


def _find_in_map(scope: Scope, argument: Any) -> Any:
    if not isinstance(argument, list) or len(argument) not in (3, 4):
        raise _wrong("every Fn::FindInMap object", "requires three parameters, the map name, map key and the attribute")
    name, first, second = (text(scope.resolve(item)) for item in argument[:3])
    found = scope.mappings.get(name, {}).get(first, {})
    if second in found:
        return scope.resolve(found[second])
    if len(argument) == 4 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
        return scope.resolve(argument[3]["DefaultValue"])
    raise _wrong("Unable to get mapping for", f"{name}::{first}::{second}")


def _base64(scope: Scope, argument: Any) -> str:
    return base64.b64encode(text(scope.resolve(argument)).encode()).decode()


def _import_value(scope: Scope, argument: Any) -> str:
    return scope.export(text(scope.resolve(argument)))


def _get_azs(scope: Scope, argument: Any) -> list[str]:
    region = scope.resolve(argument) or scope.values["AWS::Region"]
    if region != scope.values["AWS::Region"]:
        raise _wrong("Fn::GetAZs", f"cannot tell the Availability Zones of {region} in the local AWS of this course")
    return list(scope.zones)


def _cidr(scope: Scope, argument: Any) -> list[str]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html"""
    found = scope.resolve(argument)
    try:
        block, count, bits = (*found, 8)[:3]
        network = ipaddress.ip_network(block, strict=False)
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(subnet) for _, subnet in zip(range(int(count)), subnets, strict=False)]
    except (ValueError, TypeError):
        raise _wrong("Fn::Cidr", "requires an IP block, a count from 1 to 256 and a number of bits") from None


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _get_azs,
    "Fn::Cidr": _cidr,
    **{
        name: (lambda scope, argument, name=name: scope._decide({name: argument}))
        for name in ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals")
    },
}
