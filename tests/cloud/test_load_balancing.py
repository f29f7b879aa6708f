"""Elastic Load Balancing through the front door: boto3 for the API, HTTP through HAProxy, targets in containers."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import wait_until
from docker.models.containers import Container

from labs import settings
from labs.cloud import server
from labs.cloud.engine import labels, network

# One process a connection, connections kept open. /tmp/health is what it says of its health; /slow/N takes N seconds,
# /close hangs up, /status/N answers N. Any other path answers with its name and the request's head.
SERVER = r"""
use strict; use warnings; use IO::Socket::INET; use POSIX ();
$SIG{CHLD} = "IGNORE";
my $name = (POSIX::uname())[1];
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 128, ReuseAddr => 1) or die "cannot listen: $!";
while (1) {
    my $client = $server->accept or next;
    next if fork;
    while (defined(my $line = <$client>)) {
        my ($path) = $line =~ m{^\S+ (\S+)} or last;
        my ($head, $length, $chunked) = ($line, 0, 0);
        while (defined(my $field = <$client>)) {
            last if $field =~ /^\r?\n$/;
            $head .= $field;
            $length = $1 if $field =~ /^content-length: (\d+)/i;
        }
        my $got = $length ? read($client, my $data, $length) : 0;
        last if $path eq "/close";
        my ($status, $extra) = (200, "");
        if ($path eq "/health" && open my $file, "<", "/tmp/health") { $status = <$file>; chomp $status }
        $status = $1 if $path =~ m{^/status/(\d+)};
        select undef, undef, undef, $1 if $path =~ m{^/slow/([\d.]+)};
        $extra = "Set-Cookie: APP=1\r\n" if $path eq "/login";
        my $body = "$name\n$got\n$head";
        print $client "HTTP/1.1 $status X\r\n${extra}Content-Length: " . length($body) . "\r\n\r\n$body";
        $client->flush;
    }
    exit 0;
}
"""
ODD = "odd \"'$%{}#\\ \n"  # characters that mean something in a configuration of HAProxy
CHECK = {
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}

pytestmark = pytest.mark.usefixtures("local_aws")


class Answer:
    """What came back for a request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        self.target = self.text.partition("\n")[0]


def fetch(name: str, path: str = "/", *, headers: dict[str, str] | None = None, **request: Any) -> Answer:
    """A request through the gateway to the load balancer with this DNS name."""
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=30)
    with contextlib.closing(connection):
        connection.request(
            request.get("method", "GET"), path, body=request.get("body"), headers={"Host": name} | (headers or {})
        )
        return Answer(connection.getresponse())


def elb() -> Any:
    return boto3.client("elbv2")


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def vpc(local_aws: Path) -> dict[str, Any]:
    """The default VPC: its id, its address range, two subnets in two zones and one more in the first zone's VPC."""
    ec2 = boto3.client("ec2")
    found = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [found["VpcId"]]}])["Subnets"]
    by_zone = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    return {"id": found["VpcId"], "cidr": found["CidrBlock"], "subnets": sorted(by_zone.values())[:2]}


@pytest.fixture(scope="module")
def run_target(vpc: dict[str, Any]) -> Iterator[Callable[[], Container]]:
    """Starts targets on the VPC's network; all are removed afterwards."""
    started: list[Container] = []

    def start() -> Container:
        joined = network.ensure(network.DEFAULT_VPC, vpc["cidr"])
        made = docker.from_env().containers.run(
            settings.BASE_IMAGE,
            ["perl", "-e", SERVER],
            network=joined,
            detach=True,
            stop_signal="SIGKILL",
            labels={settings.LABEL_KEY: settings.LABEL_VALUE},
        )
        started.append(made)
        made.reload()
        return made

    yield start
    for one in started:
        with contextlib.suppress(docker.errors.NotFound):
            one.remove(force=True)


@pytest.fixture(scope="module")
def pair(run_target: Callable[[], Container]) -> list[Container]:
    return [run_target(), run_target()]


def address(target: Container) -> str:
    return next(iter(target.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]


def name(target: Container) -> str:
    return target.id[:12]


def say_health(target: Container, status: int) -> None:
    target.exec_run(["sh", "-c", f"echo {status} > /tmp/health"])


def group(vpc: dict[str, Any], label: str, **settings_: Any) -> str:
    """A target group of addresses; its ARN."""
    made = elb().create_target_group(
        **{"Name": label, "Protocol": "HTTP", "Port": 8080, "VpcId": vpc["id"], "TargetType": "ip"} | CHECK | settings_
    )
    return made["TargetGroups"][0]["TargetGroupArn"]


def balancer(vpc: dict[str, Any], label: str, **settings_: Any) -> dict[str, Any]:
    return elb().create_load_balancer(Name=label, Subnets=vpc["subnets"], **settings_)["LoadBalancers"][0]


def listen(load_balancer: dict[str, Any], target_group: str, port: int = 80, protocol: str = "HTTP") -> str:
    made = elb().create_listener(
        LoadBalancerArn=load_balancer["LoadBalancerArn"],
        Protocol=protocol,
        Port=port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
    )
    return made["Listeners"][0]["ListenerArn"]


def register(target_group: str, *targets: Container) -> None:
    elb().register_targets(TargetGroupArn=target_group, Targets=[{"Id": address(one)} for one in targets])


def deregister(target_group: str, *targets: Container) -> None:
    elb().deregister_targets(TargetGroupArn=target_group, Targets=[{"Id": address(one)} for one in targets])


def health(target_group: str) -> dict[str, dict[str, str]]:
    """The health of each registered target by its address."""
    found = elb().describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"] for one in found}


def states(target_group: str) -> list[str]:
    return sorted(one["State"] for one in health(target_group).values())


def own_containers(load_balancer: dict[str, Any]) -> list[Container]:
    wanted = [*labels.ours("load-balancer"), f"course.load-balancer={load_balancer['LoadBalancerArn']}"]
    return docker.from_env().containers.list(all=True, ignore_removed=True, filters={"label": wanted})


@pytest.fixture(scope="module")
def web(vpc: dict[str, Any], pair: list[Container]) -> dict[str, Any]:
    """A load balancer with a listener on port 80 and a target group with two healthy targets."""
    made = balancer(vpc, "web")
    target_group = group(vpc, "web")
    listener = listen(made, target_group)
    register(target_group, *pair)
    wait_until(lambda: states(target_group) == ["healthy", "healthy"])
    return {"lb": made, "name": made["DNSName"], "group": target_group, "listener": listener}


def test_requests_are_spread_over_the_healthy_targets(web: dict[str, Any], pair: list[Container]) -> None:
    found = Counter(fetch(web["name"], f"/{number}").target for number in range(10))
    assert found == {name(pair[0]): 5, name(pair[1]): 5}


def test_names_and_arns_are_like_those_of_aws(web: dict[str, Any]) -> None:
    arn = web["lb"]["LoadBalancerArn"]
    start = f"arn:aws:elasticloadbalancing:{settings.REGION}:{settings.ACCOUNT}:"
    assert arn.startswith(f"{start}loadbalancer/app/web/")
    assert web["group"].startswith(f"{start}targetgroup/web/")
    assert web["listener"].startswith(arn.replace(":loadbalancer/", ":listener/") + "/")
    assert web["name"].startswith("web-")
    assert web["name"].endswith(f".{settings.REGION}.elb.localhost")
    on_aws = web["name"].replace(".elb.localhost", ".elb.amazonaws.com")
    assert fetch(on_aws).status == 200


def test_a_target_sees_the_headers_of_an_application_load_balancer(web: dict[str, Any]) -> None:
    seen = fetch(web["name"], "/a?b=c", headers={"X-Forwarded-For": "203.0.113.7"}).text.lower()
    assert "get /a?b=c http/1.1" in seen
    assert f"host: {web['name']}" in seen
    assert "x-forwarded-for: 203.0.113.7, " in seen
    assert "x-forwarded-proto: http\r\n" in seen
    assert "x-forwarded-port: 80\r\n" in seen
    assert "x-amzn-trace-id: root=1-" in seen


def test_a_body_passes_in_both_directions(web: dict[str, Any]) -> None:
    answer = fetch(web["name"], "/", method="POST", body=b"x" * 300_000)
    assert answer.text.splitlines()[1] == "300000"


@pytest.mark.parametrize(("path", "status"), [("/close", 502), ("/status/503", 503), ("/status/404", 404)])
def test_the_status_tells_who_failed(web: dict[str, Any], path: str, status: int) -> None:
    answer = fetch(web["name"], path)
    assert answer.status == status
    assert (answer.headers.get("Server") == "awselb/2.0") == (path == "/close")


def test_a_target_that_is_too_slow_is_a_504(web: dict[str, Any]) -> None:
    def set_idle(seconds: int) -> None:
        elb().modify_load_balancer_attributes(
            LoadBalancerArn=web["lb"]["LoadBalancerArn"],
            Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": str(seconds)}],
        )

    set_idle(1)
    try:
        wait_until(lambda: fetch(web["name"], "/slow/2").status == 504)
    finally:
        set_idle(60)


def test_unknown_names_and_ports_without_a_listener_are_told(web: dict[str, Any]) -> None:
    answer = fetch("nobody-0000000000.us-east-1.elb.localhost")
    assert (answer.status, "no load balancer" in answer.text) == (404, True)
    answer = fetch(f"81.{web['name']}")
    assert (answer.status, "listens on 80" in answer.text) == (503, True)


# --- rules ------------------------------------------------------------------------------------------------------------


def answers(text: str) -> list[dict[str, Any]]:
    """The actions of a rule that answers with a text."""
    config = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text}
    return [{"Type": "fixed-response", "FixedResponseConfig": config}]


@pytest.fixture(scope="module")
def ruled(web: dict[str, Any]) -> Iterator[str]:
    """A second listener, on port 8000, with one rule of each kind; the name to reach it by."""
    listener = listen(web["lb"], web["group"], 8000)

    def header(key: str, value: str) -> dict[str, Any]:
        return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": key, "Values": [value]}}

    def path(value: str) -> dict[str, Any]:
        return {"Field": "path-pattern", "Values": [value]}

    def query(**pair: str) -> dict[str, Any]:
        return {"Field": "query-string", "QueryStringConfig": {"Values": [pair]}}

    conditions: list[tuple[str, list[dict[str, Any]]]] = [
        ("path", [path("/api/*.js?n")]),
        ("host", [{"Field": "host-header", "HostHeaderConfig": {"Values": ["WEB-*"]}}, path("/host")]),
        ("header", [header("X-Kind", "Blue*")]),
        ("method", [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PUT"]}}]),
        ("query", [query(Key="Version", Value="v?")]),
        ("value", [query(Value="*lone*")]),
        ("source", [{"Field": "source-ip", "SourceIpConfig": {"Values": ["203.0.113.0/24"]}}]),
        ("both", [path("/both"), header("X-Two", "1")]),
        (ODD, [path("/odd")]),
    ]
    for priority, (text, wanted) in enumerate(conditions, 10):
        elb().create_rule(ListenerArn=listener, Priority=priority, Conditions=wanted, Actions=answers(text))
    elb().create_rule(
        ListenerArn=listener,
        Priority=30,
        Conditions=[{"Field": "path-pattern", "Values": ["/old/*"]}],
        Actions=[
            {
                "Type": "redirect",
                "RedirectConfig": {
                    "StatusCode": "HTTP_301",
                    "Host": "new.#{host}",
                    "Port": "81",
                    "Path": "/new/#{path}",
                },
            }
        ],
    )
    door = f"8000.{web['name']}"
    wait_until(lambda: fetch(door, "/odd").text.startswith("odd"))
    yield door
    elb().delete_listener(ListenerArn=listener)


@pytest.mark.parametrize(
    ("path", "request_", "expected"),
    [
        ("/api/a/b.jsxn", {}, "path"),
        ("/api/a/bxjsxn", {}, None),
        ("/API/a/b.jsxn", {}, None),
        ("/host", {}, "host"),
        ("/", {"headers": {"X-Kind": "blueish"}}, "header"),
        ("/", {"headers": {"X-Kind": "light blue"}}, None),
        ("/", {"method": "PUT"}, "method"),
        ("/?a=1&version=V2", {}, "query"),
        ("/?version=v22", {}, None),
        ("/?conversion=v2", {}, None),
        ("/?x=alonely", {}, "value"),
        ("/both", {}, None),
        ("/both", {"headers": {"X-Two": "1"}}, "both"),
        ("/odd", {}, "odd \"'$%{}#\\ \n"),
    ],
)
def test_a_rule_matches_what_aws_documents(
    ruled: str, path: str, request_: dict[str, Any], expected: str | None
) -> None:
    answer = fetch(ruled, path, **request_)
    assert answer.status == 200
    if expected is None:
        assert "HTTP/1.1" in answer.text  # a target answered: the default rule
    else:
        assert answer.text == expected


def test_a_redirect_fills_in_its_placeholders(ruled: str, web: dict[str, Any]) -> None:
    answer = fetch(ruled, "/old/a/b?x=1")
    assert answer.status == 301
    assert answer.headers["Location"] == f"http://new.{web['name']}:81/new/old/a/b?x=1"
    assert fetch(ruled, "/old/a").headers["Location"] == f"http://new.{web['name']}:81/new/old/a"


def test_priorities_decide_and_can_be_changed(ruled: str) -> None:
    arn = elb().describe_load_balancers(Names=["web"])["LoadBalancers"][0]["LoadBalancerArn"]
    listener = next(
        one["ListenerArn"] for one in elb().describe_listeners(LoadBalancerArn=arn)["Listeners"] if one["Port"] == 8000
    )
    made = [
        elb().create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": ["/which"]}],
            Actions=answers(text),
        )["Rules"][0]["RuleArn"]
        for priority, text in ((40, "first"), (41, "second"))
    ]
    wait_until(lambda: fetch(ruled, "/which").text == "first")
    assert refused(elb().set_rule_priorities, RulePriorities=[{"RuleArn": made[0], "Priority": 10}]) == "PriorityInUse"
    swapped = [{"RuleArn": made[0], "Priority": 41}, {"RuleArn": made[1], "Priority": 40}]
    elb().set_rule_priorities(RulePriorities=swapped)
    wait_until(lambda: fetch(ruled, "/which").text == "second")
    listed = elb().describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in listed][-3:] == ["40", "41", "default"]
    for rule in made:
        elb().delete_rule(RuleArn=rule)


def test_weights_divide_and_stickiness_keeps(
    web: dict[str, Any], vpc: dict[str, Any], run_target: Callable[[], Container]
) -> None:
    other = group(vpc, "other")
    third = run_target()
    register(other, third)

    def weigh(here: int, there: int, **stickiness: Any) -> None:
        elb().modify_listener(
            ListenerArn=web["listener"],
            DefaultActions=[
                {
                    "Type": "forward",
                    "ForwardConfig": {
                        "TargetGroups": [
                            {"TargetGroupArn": web["group"], "Weight": here},
                            {"TargetGroupArn": other, "Weight": there},
                        ],
                        "TargetGroupStickinessConfig": {"Enabled": False} | stickiness,
                    },
                }
            ],
        )

    try:
        weigh(0, 1)
        wait_until(lambda: states(other) == ["healthy"])
        wait_until(lambda: {fetch(web["name"]).target for _ in range(6)} == {name(third)})
        weigh(1, 1, Enabled=True, DurationSeconds=60)
        wait_until(lambda: "AWSALBTG" in (fetch(web["name"]).headers.get("Set-Cookie") or ""))
        found = Counter(fetch(web["name"]).target == name(third) for _ in range(60))
        assert 10 < found[True] < 50
        first = fetch(web["name"])
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        kept = {fetch(web["name"], headers={"Cookie": cookie}).target == name(third) for _ in range(12)}
        assert kept == {first.target == name(third)}
    finally:
        elb().modify_listener(
            ListenerArn=web["listener"], DefaultActions=[{"Type": "forward", "TargetGroupArn": web["group"]}]
        )
    elb().delete_target_group(TargetGroupArn=other)


@pytest.mark.parametrize(
    ("attributes", "path", "cookie"),
    [
        ({"stickiness.type": "lb_cookie"}, "/", "AWSALB"),
        ({"stickiness.type": "app_cookie", "stickiness.app_cookie.cookie_name": "APP"}, "/login", "AWSALBAPP-0"),
    ],
)
def test_a_cookie_holds_a_client_to_a_target(
    web: dict[str, Any], attributes: dict[str, str], path: str, cookie: str
) -> None:
    def modify(values: dict[str, str]) -> None:
        listed = [{"Key": key, "Value": value} for key, value in values.items()]
        elb().modify_target_group_attributes(TargetGroupArn=web["group"], Attributes=listed)

    modify({"stickiness.enabled": "true"} | attributes)
    try:
        wait_until(lambda: f"{cookie}=" in " ".join(fetch(web["name"], path).headers.get_all("Set-Cookie", [])))
        first = fetch(web["name"], path)
        given = next(one for one in first.headers.get_all("Set-Cookie") if one.startswith(f"{cookie}="))
        kept = {fetch(web["name"], headers={"Cookie": given.partition(";")[0]}).target for _ in range(8)}
        assert kept == {first.target}
    finally:
        modify({"stickiness.enabled": "false"})
    wait_until(lambda: not fetch(web["name"], path).headers.get_all("Set-Cookie", [])[1:])


# --- health -----------------------------------------------------------------------------------------------------------


def test_a_failing_target_gets_no_requests_and_its_reason_is_told(web: dict[str, Any], pair: list[Container]) -> None:
    say_health(pair[0], 500)
    wait_until(lambda: states(web["group"]) == ["healthy", "unhealthy"])
    found = health(web["group"])[address(pair[0])]
    assert found["Reason"] == "Target.ResponseCodeMismatch"
    assert found["Description"] == "Health checks failed with these codes: [500]"
    assert {fetch(web["name"]).target for _ in range(6)} == {name(pair[1])}
    say_health(pair[1], 500)
    wait_until(lambda: states(web["group"]) == ["unhealthy", "unhealthy"])
    assert {fetch(web["name"]).target for _ in range(6)} == {name(pair[0]), name(pair[1])}  # AWS fails open
    for one in pair:
        say_health(one, 200)
    wait_until(lambda: states(web["group"]) == ["healthy", "healthy"])


def test_a_target_where_nothing_listens_is_unhealthy_and_answers_502(
    vpc: dict[str, Any], web: dict[str, Any], pair: list[Container]
) -> None:
    closed = group(vpc, "closed", Port=9999)
    listener = listen(web["lb"], closed, 9000)
    assert fetch(f"9000.{web['name']}").status == 503  # no target is registered
    register(closed, pair[0])
    assert states(closed) == ["initial"]
    assert fetch(f"9000.{web['name']}").status == 503  # nothing before the first successful check
    wait_until(lambda: states(closed) == ["unhealthy"])
    assert health(closed)[address(pair[0])]["Reason"] == "Target.FailedHealthChecks"
    assert fetch(f"9000.{web['name']}").status == 502
    elb().delete_listener(ListenerArn=listener)
    assert health(closed)[address(pair[0])]["Reason"] == "Target.NotInUse"
    elb().delete_target_group(TargetGroupArn=closed)


def test_deregistration_lets_a_request_finish_and_loses_none(
    web: dict[str, Any], run_target: Callable[[], Container], pair: list[Container]
) -> None:
    third = run_target()
    register(web["group"], third)
    wait_until(lambda: states(web["group"]) == ["healthy"] * 3)
    statuses: Counter[int] = Counter()
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            statuses[fetch(web["name"], "/slow/0.05").status] += 1

    clients = [threading.Thread(target=load) for _ in range(4)]
    slow: list[Answer] = []
    waiting = [threading.Thread(target=lambda: slow.append(fetch(web["name"], "/slow/4"))) for _ in range(12)]
    for thread in [*clients, *waiting]:
        thread.start()
    wait_until(lambda: sum(statuses.values()) > 20)
    deregister(web["group"], third)
    assert health(web["group"])[address(third)]["Reason"] == "Target.DeregistrationInProgress"
    wait_until(lambda: address(third) not in health(web["group"]))
    for thread in waiting:
        thread.join()
    third.remove(force=True)
    wait_until(lambda: sum(statuses.values()) > 60)
    ended.set()
    for thread in clients:
        thread.join()
    assert set(statuses) == {200}
    assert [answer.status for answer in slow] == [200] * 12
    assert name(third) in {answer.target for answer in slow}
    described = elb().describe_target_health(TargetGroupArn=web["group"], Targets=[{"Id": address(third)}])
    assert described["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_a_new_rule_loses_no_request(web: dict[str, Any]) -> None:
    statuses: Counter[int | str] = Counter()
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            answer = fetch(web["name"], "/")
            statuses[answer.text if answer.status != 200 else 200] += 1

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    for number in range(3):
        rule = elb().create_rule(
            ListenerArn=web["listener"],
            Priority=100 + number,
            Conditions=[{"Field": "path-pattern", "Values": [f"/fresh{number}"]}],
            Actions=answers(f"fresh {number}"),
        )["Rules"][0]["RuleArn"]
        wait_until(lambda number=number: fetch(web["name"], f"/fresh{number}").text == f"fresh {number}")
        elb().delete_rule(RuleArn=rule)
    ended.set()
    for client in clients:
        client.join()
    assert set(statuses) == {200}


# --- the data plane ---------------------------------------------------------------------------------------------------


def test_the_container_is_ours_closed_and_on_loopback(web: dict[str, Any]) -> None:
    found = own_containers(web["lb"])
    assert len(found) == 1
    details = found[0].attrs
    assert details["HostConfig"]["CapDrop"] == ["ALL"]
    assert details["HostConfig"]["ReadonlyRootfs"] is True
    assert "no-new-privileges" in details["HostConfig"]["SecurityOpt"]
    bound = [one["HostIp"] for doors in details["NetworkSettings"]["Ports"].values() for one in doors]
    assert set(bound) == {"127.0.0.1"}
    joined = next(iter(details["NetworkSettings"]["Networks"].values()))
    assert web["name"] in joined["Aliases"]


def test_a_removed_container_comes_back_with_its_targets(web: dict[str, Any]) -> None:
    before = own_containers(web["lb"])[0]
    before.remove(force=True)
    wait_until(lambda: [one.id for one in own_containers(web["lb"]) if one.id != before.id], 10)
    wait_until(lambda: fetch(web["name"]).status == 200, 10)
    assert states(web["group"]) == ["healthy", "healthy"]


def test_after_a_kill_the_same_container_goes_on(web: dict[str, Any]) -> None:
    before = [one.id for one in own_containers(web["lb"])]
    doors = own_containers(web["lb"])[0].attrs["NetworkSettings"]["Ports"]["80/tcp"]
    os.kill(server.health()["pid"], signal.SIGKILL)
    connection = http.client.HTTPConnection("127.0.0.1", int(doors[0]["HostPort"]), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        assert connection.getresponse().status == 200  # HAProxy does not need the gateway
    assert server.ensure_running().how == "recovered"
    wait_until(lambda: states(web["group"]) == ["healthy", "healthy"])
    assert {fetch(web["name"]).status for _ in range(10)} == {200}
    assert [one.id for one in own_containers(web["lb"])] == before


def test_a_task_reaches_it_by_its_name(web: dict[str, Any], pair: list[Container]) -> None:
    script = 'exec 3<>"/dev/tcp/$1/80"; printf "GET /in HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'
    said = pair[0].exec_run(["bash", "-c", script, "sh", web["name"]]).output.decode()
    assert "GET /in" in said


def test_a_network_load_balancer_passes_bytes(vpc: dict[str, Any], pair: list[Container]) -> None:
    made = balancer(vpc, "bytes", Type="network")
    plain = {key: value for key, value in CHECK.items() if key != "HealthCheckPath"}
    target_group = elb().create_target_group(
        Name="bytes", Protocol="TCP", Port=8080, VpcId=vpc["id"], TargetType="ip", **plain
    )["TargetGroups"][0]["TargetGroupArn"]
    assert (
        refused(
            elb().create_listener,
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="UDP",
            Port=53,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        )
        == "UnsupportedProtocol"
    )
    listen(made, target_group, 7000, "TCP")
    register(target_group, *pair)
    wait_until(lambda: states(target_group) == ["healthy", "healthy"])
    script = 'exec 3<>"/dev/tcp/$1/7000"; printf "GET /tcp HTTP/1.0\\r\\n\\r\\n" >&3; head -5 <&3'
    said = pair[0].exec_run(["bash", "-c", script, "sh", made["DNSName"]]).output.decode()
    assert "HTTP/1.1 200" in said
    assert "GET /by-name" in fetch(f"7000.{made['DNSName']}", "/by-name").text
    elb().delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    wait_until(lambda: own_containers(made) == [])
    elb().delete_target_group(TargetGroupArn=target_group)


def test_the_metrics_reach_cloudwatch(web: dict[str, Any]) -> None:
    for _ in range(5):
        fetch(web["name"], "/")
    dimension = web["lb"]["LoadBalancerArn"].partition("loadbalancer/")[2]
    cloudwatch = boto3.client("cloudwatch")

    def listed() -> set[str]:
        found = cloudwatch.list_metrics(
            Namespace="AWS/ApplicationELB", Dimensions=[{"Name": "LoadBalancer", "Value": dimension}]
        )["Metrics"]
        return {one["MetricName"] for one in found}

    wait_until(lambda: {"RequestCount", "HealthyHostCount", "HTTPCode_Target_2XX_Count"} <= listed())


def test_waiters_are_satisfied(vpc: dict[str, Any], web: dict[str, Any], pair: list[Container]) -> None:
    begin = time.monotonic()
    elb().get_waiter("load_balancer_available").wait(Names=["web"])
    elb().get_waiter("target_in_service").wait(TargetGroupArn=web["group"])
    elb().get_waiter("target_deregistered").wait(TargetGroupArn=web["group"], Targets=[{"Id": "172.31.250.250"}])
    gone = balancer(vpc, "gone")
    elb().get_waiter("load_balancer_exists").wait(Names=["gone"])
    elb().delete_load_balancer(LoadBalancerArn=gone["LoadBalancerArn"])
    elb().get_waiter("load_balancers_deleted").wait(Names=["gone"])
    assert time.monotonic() - begin < 14  # none had to wait for its second look


def test_the_records_say_what_was_asked_for(web: dict[str, Any]) -> None:
    described = elb().describe_target_groups(LoadBalancerArn=web["lb"]["LoadBalancerArn"])["TargetGroups"]
    assert [one["TargetGroupArn"] for one in described] == [web["group"]]
    assert described[0]["LoadBalancerArns"] == [web["lb"]["LoadBalancerArn"]]
    assert json.loads(json.dumps(described[0]["Matcher"])) == {"HttpCode": "200"}
    assert not [key for key in described[0] if key.startswith("_")]
