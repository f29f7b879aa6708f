"""HAProxy takes every configuration that the records can ask for."""

from typing import Any

import docker
import pytest

from labs.cloud.engine import proxy
from labs.cloud.load_balancing import attributes, config, ssl_policies

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
FIRST = f"{ARN}targetgroup/first/0123456789abcdef"
_CHECK = "haproxy -c -L lb -f /tmp/h 2>&1 || echo REFUSED"
SECOND = f"{ARN}targetgroup/second/1123456789abcdef"


def group(arn: str, protocol: str = "HTTP", check: dict[str, Any] | None = None, **values: str) -> dict[str, Any]:
    changed = {key.replace("__", "."): value for key, value in values.items()}
    return {
        "TargetGroupArn": arn,
        "Protocol": protocol,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": "/a b#\"'$%",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200,301-302"},
        "_attributes": attributes.defaults(attributes.of_target_group(protocol)) | changed,
        "_targets": {},
    } | (check or {})


def plan(action: dict[str, Any], *groups: dict[str, Any], kind: str = "application", **values: str) -> config.Plan:
    changed = {key.replace("__", "."): value for key, value in values.items()}
    balancer = {
        "Type": kind,
        "_attributes": attributes.defaults(attributes.of_load_balancer(kind)) | changed,
    }
    protocol = "HTTP" if kind == "application" else "TCP"
    listener = {
        "Port": 80,
        "Protocol": protocol,
        "_attributes": attributes.defaults(attributes.of_listener(protocol)),
    }
    rule = {"Conditions": [], "Actions": [action], "IsDefault": True}
    return config.Plan(balancer, [(listener, [rule])], {one["TargetGroupArn"]: one for one in groups})


def forward(*weights: int, **stickiness: Any) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip((FIRST, SECOND), weights, strict=False)]
    return {
        "Type": "forward",
        "TargetGroupArn": FIRST,
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False} | stickiness},
    }


def redirect(**changes: str) -> dict[str, Any]:
    whole = {
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}",
        "StatusCode": "HTTP_302",
    }  # fmt: skip
    return {"Type": "redirect", "RedirectConfig": whole | changes}


PLANS = {
    "one group": plan(forward(1), group(FIRST)),
    "weights": plan(forward(1, 3), group(FIRST), group(SECOND)),
    "sticky weights": plan(forward(1, 3, Enabled=True, DurationSeconds=60), group(FIRST), group(SECOND)),
    "no weight": plan(forward(0, 0), group(FIRST), group(SECOND)),
    "least outstanding": plan(forward(1), group(FIRST, load_balancing__algorithm__type="least_outstanding_requests")),
    "random": plan(forward(1), group(FIRST, load_balancing__algorithm__type="weighted_random")),
    "slow start": plan(forward(1), group(FIRST, slow_start__duration_seconds="30")),
    "cookie": plan(forward(1), group(FIRST, stickiness__enabled="true")),
    "application's cookie": plan(
        forward(1),
        group(
            FIRST,
            stickiness__enabled="true",
            stickiness__type="app_cookie",
            stickiness__app_cookie__cookie_name="A-b_c",
        ),
    ),
    "forwarded for kept": plan(forward(1), group(FIRST), routing__http__xff_header_processing__mode="preserve"),
    "forwarded for removed": plan(forward(1), group(FIRST), routing__http__xff_header_processing__mode="remove"),
    "client port": plan(forward(1), group(FIRST), routing__http__xff_client_port__enabled="true"),
    "redirect": plan(redirect()),
    "redirect of anything": plan(redirect(Host="a\"b'%{x}", Path="/x#\\$%[src]", Query="a=#{query}&b=#{port}")),
    "tcp": plan(
        forward(1),
        group(FIRST, "TCP", {"HealthCheckProtocol": "TCP", "HealthCheckPort": "99"}),
        kind="network",
    ),
    "sticky tcp": plan(forward(1), group(FIRST, "TCP", stickiness__enabled="true"), kind="network"),
}


@pytest.mark.parametrize("case", PLANS)
def test_haproxy_takes_it(case: str) -> None:
    chosen = PLANS[case]
    servers = {arn: ["10.0.0.1:80", "10.0.0.2:80"] for arn in chosen.groups}
    text = config.complete(config.render(chosen), servers, dict.fromkeys(servers, "weight 100 slowstart 30s"))
    said = docker.from_env().containers.run(
        proxy.image(),
        ["-c", 'printf %s "$CONFIG" > /tmp/c && haproxy -c -L lb -f /tmp/c 2>&1 || echo REFUSED'],
        entrypoint="sh",
        environment={"CONFIG": text},
        remove=True,
    )
    said = said.decode()
    assert "REFUSED" not in said, said
    assert "[ALERT]" not in said
    assert "[WARNING]" not in said


def test_haproxy_takes_every_ssl_policy() -> None:
    policies = [one["Name"] for one in ssl_policies.described([])]
    whole = plan(redirect())
    (plain, rules) = whole.listeners[0]
    listeners = [
        ({**plain, "Port": 1000 + number, "Protocol": "HTTPS", "SslPolicy": name}, rules)
        for number, name in enumerate(policies)
    ]
    files = {listener["Port"]: ["one.pem", "two.pem"] for listener, _ in listeners}
    secure = whole._replace(listeners=listeners, certificates=files)
    key = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout /tmp/k -out /tmp/c"
    made = f"{key} -subj /CN=$1.example 2>/dev/null && cat /tmp/k /tmp/c > /lb/$1.pem"
    said = (
        docker.from_env()
        .containers.run(
            proxy.image(),
            ["-c", f'make() {{ {made}; }}; mkdir /lb; make one; make two; printf %s "$CONFIG" > /tmp/h; {_CHECK}'],
            entrypoint="sh",
            environment={"CONFIG": config.complete(config.render(secure), {}, {})},
            remove=True,
        )
        .decode()
    )
    assert "REFUSED" not in said, said
    assert "[ALERT]" not in said
    assert "[WARNING]" not in said, said


def test_the_same_records_give_the_same_text_and_targets_do_not_change_it() -> None:
    text = config.render(PLANS["weights"])
    assert text == config.render(PLANS["weights"])
    with_servers = config.complete(text, {FIRST: ["10.0.0.1:80"]}, {FIRST: "weight 100"})
    assert config.digest(text) in with_servers
    assert "server 10.0.0.1:80 10.0.0.1:80" in with_servers


@pytest.mark.parametrize("text", ["a b", "\"'\\$%{}#", "\n\r\t", "é€", "x" * 1024])
def test_a_quoted_text_is_one_word_without_meaning(text: str) -> None:
    assert all(char.isalnum() or char in "\\_./:=,-" for char in config.quoted(text))
