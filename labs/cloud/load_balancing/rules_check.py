"""Whether the conditions and actions of a rule are such as AWS takes.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

import ipaddress
import re
from typing import Any

from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing.state import LoadBalancing, groups_in

MOST_VALUES = 5  # values of all conditions of a rule; wildcards of a rule: the same
MOST_GROUPS = 5
CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "query-string": "QueryStringConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}
_SHORT = ("host-header", "path-pattern")  # the fields that may have plain `Values`
_PATTERNS = {
    "host-header": (r"[A-Za-z0-9\-.*?]{1,128}", "host name"),
    "path-pattern": (r"[A-Za-z0-9_\-.$/~\"'@:+&()!,;=%*?]{1,128}", "path"),
    "http-header": (r"[\x20-\x7e]{1,128}", "header value"),
    "http-request-method": (r"[A-Z\-_]{1,40}", "HTTP method"),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,40}")
_QUERY = re.compile(r"[\x21-\x7e]{0,128}")
_CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_PLACEHOLDER = re.compile(r"#\{(\w+)\}")


def conditions(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conditions of a rule as they are kept: each with its config, and `Values` where AWS returns them too.

    Raises:
        AwsError: one of them is none that AWS takes.
    """
    if not given:
        raise _invalid("A condition must be specified")
    found = [_condition(one) for one in given]
    once = [one["Field"] for one in found if one["Field"] not in ("http-header", "query-string")]
    if twice := next((field for field in once if once.count(field) > 1), None):
        raise _invalid(f"Rule cannot have more than one '{twice}' condition")
    values = [value for one in found for value in one[CONFIGS[one["Field"]]]["Values"]]
    if len(values) > MOST_VALUES:
        raise _invalid(f"A rule can only have '{MOST_VALUES}' condition values")
    text = "".join(value if isinstance(value, str) else value["Value"] for value in values)
    if text.count("*") + text.count("?") > MOST_VALUES:
        raise _invalid(f"A rule can only have '{MOST_VALUES}' condition wildcards")
    return found


def actions(lb: LoadBalancing, load_balancer: Record, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The actions of a rule or listener as they are kept: a forward to one group has its ARN and `ForwardConfig`.

    Raises:
        AwsError: they are none that AWS takes, or one that the local AWS cannot do.
    """
    if not given:
        raise _invalid("An action must be specified")
    ordered = sorted(given, key=lambda one: one.get("Order", 1))
    if len(ordered) > 1:
        kinds = {one["Type"] for one in ordered}
        if not kinds & {"authenticate-oidc", "authenticate-cognito", "jwt-validation"}:
            raise AwsError("TooManyActions", "A rule can have one forward, redirect or fixed-response action")
    action = ordered[-1]
    for one in ordered:
        if one["Type"] in ("authenticate-oidc", "authenticate-cognito", "jwt-validation"):
            raise AwsError(
                "InvalidLoadBalancerAction",
                f"The local AWS of this course has no '{one['Type']}' actions. Use forward, redirect, fixed-response.",
            )
    kept = {"Type": action["Type"]} | ({"Order": action["Order"]} if "Order" in action else {})
    if action["Type"] == "forward":
        return [kept | _forward(lb, load_balancer, action)]
    if load_balancer["Type"] != "application":
        raise AwsError("InvalidLoadBalancerAction", f"The action '{action['Type']}' is not valid with this protocol")
    if action["Type"] == "redirect":
        return [kept | {"RedirectConfig": _redirect(action.get("RedirectConfig"))}]
    return [kept | {"FixedResponseConfig": _fixed_response(action.get("FixedResponseConfig"))}]


def _condition(given: dict[str, Any]) -> dict[str, Any]:
    field = given.get("Field", "")
    if field not in CONFIGS:
        raise _invalid(f"Condition field '{field}' must be one of '[{', '.join(CONFIGS)}]'")
    name = CONFIGS[field]
    if others := [other for other in CONFIGS.values() if other in given and other != name]:
        raise _invalid(f"'{others[0]}' cannot be used with the condition field '{field}'")
    config = given.get(name, {})
    if given.get("RegexValues") or config.get("RegexValues"):
        raise _invalid("The local AWS of this course does not know regular expressions in conditions. Use Values.")
    if "Values" in given and name in given:
        raise _invalid(f"'Values' and '{name}' cannot be specified together")
    if "Values" in given and field not in _SHORT:
        raise _invalid(f"'Values' cannot be used with the condition field '{field}'. Use '{name}'.")
    values = given.get("Values") or config.get("Values") or []
    if not values:
        raise _invalid("A condition value must be specified")
    kept: dict[str, Any] = {"Values": [_value(field, value) for value in values]}
    if field == "http-header":
        header = config.get("HttpHeaderName", "")
        if not _HEADER_NAME.fullmatch(header) or header.lower() in ("host", "x-forwarded-for"):
            raise _invalid(f"The header name '{header}' is not valid")
        kept["HttpHeaderName"] = header
    short = {"Values": kept["Values"]} if field in _SHORT else {}
    return {"Field": field, **short, name: kept}


def _value(field: str, value: Any) -> Any:
    if field == "query-string":
        pair = {key: value[key] for key in ("Key", "Value") if key in value}
        if not pair.get("Value") or not all(_QUERY.fullmatch(text) for text in pair.values()):
            raise _invalid("A query string condition needs a value of 1 to 128 printable characters")
        return pair
    if field == "source-ip":
        try:
            return str(ipaddress.ip_network(value, strict=False)) if "/" in value else _not_an_address(value)
        except ValueError:
            return _not_an_address(value)
    pattern, what = _PATTERNS[field]
    if not re.fullmatch(pattern, value):
        raise _invalid(f"Condition value '{value}' contains a character that is not valid in a {what}, or is too long")
    return value


def _not_an_address(value: str) -> str:
    raise _invalid(f"The IP address condition value '{value}' must be in CIDR format, for example 192.0.2.0/24")


def _forward(lb: LoadBalancing, load_balancer: Record, action: dict[str, Any]) -> dict[str, Any]:
    config = action.get("ForwardConfig", {})
    groups = config.get("TargetGroups") or []
    if "TargetGroupArn" in action:
        if groups and [one.get("TargetGroupArn") for one in groups] != [action["TargetGroupArn"]]:
            raise _invalid("A target group ARN and a forward config with other target groups cannot be used together")
        groups = groups or [{"TargetGroupArn": action["TargetGroupArn"]}]
    if not groups or not all(one.get("TargetGroupArn") for one in groups):
        raise _invalid("A target group ARN must be specified for the 'forward' action")
    names = [one["TargetGroupArn"] for one in groups]
    if len(names) > MOST_GROUPS or len(set(names)) < len(names):
        raise _invalid(f"A forward action can have {MOST_GROUPS} different target groups at most")
    weights = [one.get("Weight", 1) for one in groups]
    if not all(0 <= weight <= 999 for weight in weights):
        raise _invalid("The weight of a target group must be between 0 and 999 inclusive")
    for name in names:
        _require_fit(lb, load_balancer, lb.target_group(name))
    stickiness = dict(config.get("TargetGroupStickinessConfig") or {})
    stickiness.setdefault("Enabled", False)
    if stickiness["Enabled"] and not 1 <= stickiness.get("DurationSeconds", 0) <= 604800:
        raise _invalid("Target group stickiness duration must be between 1 and 604800 seconds")
    kept = [{"TargetGroupArn": name, "Weight": weight} for name, weight in zip(names, weights, strict=True)]
    if load_balancer["Type"] == "network":
        if len(kept) > 1:
            raise _invalid(
                "The local AWS of this course forwards a Network Load Balancer's listener to one target group."
            )
        return {"TargetGroupArn": names[0], "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": names[0]}]}}
    single = {"TargetGroupArn": names[0]} if len(kept) == 1 else {}
    return single | {"ForwardConfig": {"TargetGroups": kept, "TargetGroupStickinessConfig": stickiness}}


def _require_fit(lb: LoadBalancing, load_balancer: Record, group: Record) -> None:
    """Whether a load balancer may forward to a target group.

    Raises:
        AwsError: wrong protocol, wrong VPC, or another load balancer has it.
    """
    http = group.get("Protocol") in ("HTTP", "HTTPS")
    if http != (load_balancer["Type"] == "application"):
        raise AwsError(
            "InvalidConfigurationRequest",
            f"Protocol {group.get('Protocol')} of the target group does not fit a load balancer of type "
            f"'{load_balancer['Type']}'",
        )
    if group["VpcId"] != load_balancer["VpcId"]:
        raise AwsError(
            "InvalidConfigurationRequest",
            f"The target group '{group['TargetGroupArn']}' and the load balancer are in different VPCs",
        )
    if set(lb.users_of(group["TargetGroupArn"])) - {load_balancer["LoadBalancerArn"]}:
        raise AwsError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            f"{group['TargetGroupArn']}",
        )


def _redirect(given: dict[str, Any] | None) -> dict[str, Any]:
    if not given:
        raise _invalid("A redirect config must be specified for the 'redirect' action")
    config = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
    config |= given
    allowed = {
        "Port": ("port",), "Host": ("host", "port"), "Path": ("host", "path", "port"),
        "Query": ("host", "path", "port", "protocol", "query"),
    }  # fmt: skip
    for name, known in allowed.items():
        if any(found not in known for found in _PLACEHOLDER.findall(config[name])):
            raise _invalid(f"The redirect {name.lower()} '{config[name]}' has a placeholder that is not valid there")
        if not re.fullmatch(r"[\x21-\x7e]*", config[name]):
            raise _invalid(f"The redirect {name.lower()} '{config[name]}' has a character that is not valid")
    if config["Port"] != "#{port}" and not (config["Port"].isdecimal() and 1 <= int(config["Port"]) <= 65535):
        raise _invalid(f"The redirect port '{config['Port']}' must be between 1 and 65535, or '#{{port}}'")
    if not config["Path"].startswith("/"):
        raise _invalid(f"The redirect path '{config['Path']}' must start with '/'")
    if all(
        config[name] == default
        for name, default in (
            ("Protocol", "#{protocol}"),
            ("Port", "#{port}"),
            ("Host", "#{host}"),
            ("Path", "/#{path}"),
        )
    ):
        raise _invalid("A redirect must change the protocol, port, host or path, or it would loop")
    return config


def _fixed_response(given: dict[str, Any] | None) -> dict[str, Any]:
    if not given:
        raise _invalid("A fixed response config must be specified for the 'fixed-response' action")
    kind = given.get("ContentType")
    if kind and kind not in _CONTENT_TYPES:
        raise _invalid(f"The content type '{kind}' must be one of '[{', '.join(_CONTENT_TYPES)}]'")
    if not re.fullmatch(r"[245]\d\d", given["StatusCode"]):
        raise _invalid(f"The status code '{given['StatusCode']}' must be 2XX, 4XX or 5XX")
    if "\0" in given.get("MessageBody", ""):
        raise _invalid("The message body has a character that is not valid")
    return dict(given)


def require_room(lb: LoadBalancing, load_balancer: Record, wanted: list[dict[str, Any]]) -> None:
    """Whether a load balancer may have the target groups of these actions as well: 100 in all.

    Raises:
        AwsError: TooManyUniqueTargetGroupsPerLoadBalancer.
    """
    if len({*lb.groups_of(load_balancer["LoadBalancerArn"]), *groups_in(wanted)}) > 100:
        raise AwsError(
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            "You have reached the maximum number of unique target groups that you can associate with a load balancer "
            f"of type '{load_balancer['Type']}': [100]",
        )


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
