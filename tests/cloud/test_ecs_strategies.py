"""Blue/green, canary and linear deployments of services: stages, weights, hooks, alarms, the way back.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html
"""

import contextlib
import http.client
import io
import json
import os
import signal
import threading
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, network, register, service, wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.frame import clock

pytestmark = pytest.mark.usefixtures("local_aws")

# Answers every request with the version that it was started as.
WEB = r"""
use IO::Socket::INET; $| = 1; $SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my $body = $ENV{VERSION};
    print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
"""
BREAKER = {"enable": True, "rollback": True}


def ecs() -> Any:
    return boto3.client("ecs")


def elb() -> Any:
    return boto3.client("elbv2")


def forward(*weighed: tuple[str, int]) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weighed]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


@pytest.fixture(scope="module")
def role(local_aws: Path) -> str:
    """A role that ECS may assume, and that may change listeners and call functions."""
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName="shifts", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": ["elasticloadbalancing:*", "lambda:InvokeFunction"], "Resource": "*"}
    iam.put_role_policy(
        RoleName="shifts",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    return arn


@pytest.fixture(scope="module")
def balancer(local_aws: Path) -> dict[str, Any]:
    """A load balancer with a production listener on 80 and a test listener on 8080."""
    ec2 = boto3.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    made = elb().create_load_balancer(Name="shifts", Subnets=[one["SubnetId"] for one in subnets[:2]])
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    nobody = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listeners = [
        elb().create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=port, DefaultActions=nobody)["Listeners"][0]
        for port in (80, 8080)
    ]
    return {**made["LoadBalancers"][0], "listeners": [one["ListenerArn"] for one in listeners]}


class Site:
    """A service of two versions behind two target groups, with rules for its own path."""

    def __init__(self, balancer: dict[str, Any], role: str) -> None:
        self.name = f"shift-{uuid.uuid4().hex[:6]}"
        self.host = balancer["DNSName"]
        self.groups = [
            elb().create_target_group(
                Name=f"{self.name}-{color}", Protocol="HTTP", Port=8080, VpcId=balancer["VpcId"], TargetType="ip",
                HealthCheckIntervalSeconds=5, HealthyThresholdCount=2, HealthCheckTimeoutSeconds=2,
            )["TargetGroups"][0]["TargetGroupArn"]
            for color in ("blue", "green")
        ]  # fmt: skip
        for group in self.groups:
            elb().modify_target_group_attributes(
                TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}]
            )
        self.rules = [
            elb().create_rule(
                ListenerArn=listener,
                Priority=1 + int(uuid.uuid4().hex[:4], 16) % 40000,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{self.name}"]}],
                Actions=forward((self.groups[0], 1)),
            )["Rules"][0]["RuleArn"]
            for listener in balancer["listeners"]
        ]
        self.balancers = [
            {
                "targetGroupArn": self.groups[0],
                "containerName": "main",
                "containerPort": 8080,
                "advancedConfiguration": {
                    "alternateTargetGroupArn": self.groups[1],
                    "productionListenerRule": self.rules[0],
                    "testListenerRule": self.rules[1],
                    "roleArn": role,
                },
            }
        ]

    def register(self, version: str, command: list[str] | None = None) -> str:
        register(
            self.name,
            settings.BASE_IMAGE,
            command=command or ["perl", "-e", WEB],
            environment=[{"name": "VERSION", "value": version}],
            portMappings=[{"containerPort": 8080}],
            stopTimeout=2,
        )
        return self.name

    def create(self, configuration: dict[str, Any], count: int = 1, **more: Any) -> None:
        ecs().create_cluster(clusterName=CLUSTER)
        ecs().create_service(
            cluster=CLUSTER,
            serviceName=self.name,
            taskDefinition=self.register("one"),
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=network(),
            loadBalancers=self.balancers,
            deploymentConfiguration=configuration,
            **more,
        )
        wait_until(self.is_done, 90)

    def update(self, version: str = "two", command: list[str] | None = None, **more: Any) -> str:
        """Begins a deployment; the ARN of the service deployment."""
        self.register(version, command)
        answer = ecs().update_service(cluster=CLUSTER, service=self.name, taskDefinition=self.name, **more)
        return answer["service"]["currentServiceDeployment"]

    def is_done(self) -> bool:
        found = service(self.name)
        return len(found["deployments"]) == 1 and found["deployments"][0]["rolloutState"] == "COMPLETED"

    def weights(self, rule: int = 0) -> list[int]:
        action = elb().describe_rules(RuleArns=[self.rules[rule]])["Rules"][0]["Actions"][0]
        found = {one["TargetGroupArn"]: one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]}
        return [found.get(group, 0) for group in self.groups]

    def answer(self, port: int = 80) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", f"/{self.name}", headers={"Host": f"{port}.{self.host}"})
            response = connection.getresponse()
            text = response.read().decode()
            return text if response.status == 200 else str(response.status)


def deployment(arn: str) -> dict[str, Any]:
    return ecs().describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


@contextlib.contextmanager
def asking(site: Site) -> Iterator[Counter[str]]:
    """Asks a site all the time; counts what it says."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            seen[site.answer()] += 1
            time.sleep(0.02)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for one in threads:
        one.start()
    try:
        yield seen
    finally:
        over.set()
        for one in threads:
            one.join()


@pytest.fixture
def site(balancer: dict[str, Any], role: str) -> Iterator[Site]:
    made = Site(balancer, role)
    yield made
    with contextlib.suppress(ClientError):
        ecs().delete_service(cluster=CLUSTER, service=made.name, force=True)


def stages(arn: str, until: Callable[[], bool]) -> list[str]:
    """The stages that a deployment is seen in, in order."""
    seen: list[str] = []

    def look() -> bool:
        stage = deployment(arn).get("lifecycleStage")
        if stage and (not seen or seen[-1] != stage):
            seen.append(stage)
        return until()

    wait_until(look, 120)
    return seen


def test_blue_green_moves_all_at_once_bakes_and_loses_no_request(site: Site) -> None:
    site.create({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}, count=2)
    assert site.weights() == [100, 0]
    wait_until(lambda: site.answer() == "one")
    with asking(site) as seen:
        arn = site.update()
        passed = stages(arn, site.is_done)
    order = ["PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"]
    order += ["PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]
    assert passed == [one for one in order if one in passed]
    assert {"SCALE_UP", "BAKE_TIME"} <= set(passed)
    assert set(seen) == {"one", "two"}, seen
    assert site.weights() == site.weights(1) == [0, 100]
    assert site.answer() == "two"
    told = deployment(arn)
    assert told["status"] == "SUCCESSFUL"
    assert told["finishedAt"].timestamp() - told["startedAt"].timestamp() >= clock.lesson(60.0)
    assert told["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100.0
    revision = ecs().describe_service_revisions(serviceRevisionArns=[told["targetServiceRevision"]["arn"]])
    resolved = revision["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"]
    assert resolved == [{"targetGroupArn": site.groups[1], "productionListenerRule": site.rules[0]}]
    again = site.update("three")  # the target groups take turns
    wait_until(lambda: site.is_done() and deployment(again)["status"] == "SUCCESSFUL", 90)
    assert site.weights() == [100, 0]
    assert site.answer() == "three"


def test_a_canary_gets_its_part_first_then_all(site: Site) -> None:
    canary = {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 2}
    site.create({"strategy": "CANARY", "canaryConfiguration": canary})
    with asking(site) as seen:
        arn = site.update()
        wait_until(lambda: site.weights() == [80, 20], 60)
        told = deployment(arn)
        assert told["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
        assert told["targetServiceRevision"]["requestedProductionTrafficWeight"] == 20.0
        assert told["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 80.0
        seen.clear()
        wait_until(lambda: sum(seen.values()) > 150, 30)
        part = seen["two"] / sum(seen.values())
        wait_until(site.is_done, 60)
    assert 0.03 < part < 0.5
    assert set(seen) == {"one", "two"}, seen
    assert site.weights() == [0, 100]


def test_linear_steps_are_even(site: Site) -> None:
    linear = {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}
    site.create({"strategy": "LINEAR", "linearConfiguration": linear})
    site.update()
    seen: list[int] = []

    def look() -> bool:
        share = site.weights()[1]
        if not seen or seen[-1] != share:
            seen.append(share)
        return site.is_done()

    wait_until(look, 90)
    assert seen == [0, 40, 80, 100]


def test_a_pause_holds_the_test_traffic_until_somebody_goes_on(site: Site) -> None:
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    site.create({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    arn = site.update(deploymentConfiguration={"lifecycleHooks": [hook]})
    wait_until(lambda: deployment(arn).get("lifecycleHookDetails"), 60)
    wait_until(lambda: site.answer(8080) == "two")
    assert site.answer() == "one"
    paused = deployment(arn)["lifecycleHookDetails"][0]
    assert paused["status"] == "AWAITING_ACTION"
    assert paused["timeoutAction"] == "ROLLBACK"
    with pytest.raises(ClientError, match="No paused lifecycle hook"):
        ecs().continue_service_deployment(serviceDeploymentArn=arn, hookId="other")
    ecs().continue_service_deployment(serviceDeploymentArn=arn, hookId=paused["hookId"])
    wait_until(site.is_done, 60)
    assert site.answer() == "two"
    second = site.update("three")
    wait_until(lambda: deployment(second).get("lifecycleHookDetails"), 60)
    told = deployment(second)["lifecycleHookDetails"][0]
    ecs().continue_service_deployment(serviceDeploymentArn=second, hookId=told["hookId"], action="ROLLBACK")
    wait_until(lambda: deployment(second)["status"] == "ROLLBACK_SUCCESSFUL", 60)
    assert site.answer() == site.answer(8080) == "two"


@pytest.fixture(scope="module")
def function(local_aws: Path, role: str) -> Callable[[str], str]:
    """Makes a function that says what its code returns; its ARN."""

    def make(code: str) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("hook.py", code)
        made = boto3.client("lambda").create_function(
            FunctionName=f"hook-{uuid.uuid4().hex[:6]}",
            Runtime="python3.12",
            Handler="hook.handler",
            Role=role,
            Code={"ZipFile": packed.getvalue()},
        )
        return made["FunctionArn"]

    return make


@pytest.mark.needs("lambda")
def test_a_function_decides_and_a_failed_one_brings_the_old_version_back(
    site: Site, role: str, function: Callable[[str], str]
) -> None:
    code = (
        "seen = []\n"
        "def handler(event, context):\n"
        "    seen.append(event['lifecycleStage'])\n"
        "    assert event['executionDetails']['serviceArn']\n"
        "    says = 'IN_PROGRESS' if len(seen) == 1 else event['hookDetails']['says']\n"
        "    return {'hookStatus': says, 'callBackDelay': 1}"
    )
    hook = {
        "hookTargetArn": function(code),
        "roleArn": role,
        "lifecycleStages": ["POST_SCALE_UP"],
        "hookDetails": {"says": "SUCCEEDED"},
    }
    site.create({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    arn = site.update(deploymentConfiguration={"lifecycleHooks": [hook]})
    wait_until(lambda: deployment(arn)["status"] == "SUCCESSFUL", 90)
    assert site.answer() == "two"
    hook["hookDetails"] = {"says": "FAILED"}
    arn = site.update("three", deploymentConfiguration={"lifecycleHooks": [hook]})
    wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 90)
    assert "lifecycle hook" in deployment(arn)["statusReason"]
    assert site.answer() == "two"


def test_the_breaker_keeps_the_traffic_where_it_was(site: Site) -> None:
    site.create({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": BREAKER})
    with asking(site) as seen:
        arn = site.update(command=["false"])
        wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 90)
    assert set(seen) == {"one"}, seen
    assert deployment(arn)["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


def alarm(name: str, *, loud: bool = False) -> str:
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Course", MetricName=name, Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM" if loud else "OK", StateReason="test")
    return name


def test_an_alarm_in_the_bake_time_brings_the_traffic_back(site: Site) -> None:
    old, new = alarm(f"{site.name}-old", loud=True), alarm(f"{site.name}-new")
    alarms = {"alarmNames": [old, new], "enable": True, "rollback": True}
    site.create({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    arn = site.update(deploymentConfiguration={"alarms": alarms, "bakeTimeInMinutes": 1440})
    with asking(site) as seen:
        wait_until(lambda: deployment(arn).get("lifecycleStage") == "BAKE_TIME", 60)
        wait_until(lambda: site.answer() == "two")
        alarm(new, loud=True)
        wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 60)
    assert set(seen) == {"one", "two"}, seen
    told = deployment(arn)["alarms"]
    assert (told["status"], told["triggeredAlarmNames"]) == ("TRIGGERED", [new])
    assert site.answer() == "one"
    assert site.weights() == [100, 0]


def test_an_alarm_ends_a_rolling_update_too(local_aws: Path) -> None:
    name = f"rolls-{uuid.uuid4().hex[:6]}"
    alarms = {"alarmNames": [alarm(name)], "enable": True, "rollback": True}
    ecs().create_cluster(clusterName=CLUSTER)
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    ecs().create_service(
        cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=1, launchType="FARGATE",
        networkConfiguration=network(),
    )  # fmt: skip
    wait_until(lambda: service(name)["deployments"][0]["rolloutState"] == "COMPLETED", 60)
    first = service(name)["taskDefinition"]
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    arn = ecs().update_service(
        cluster=CLUSTER, service=name, taskDefinition=name, deploymentConfiguration={"alarms": alarms}
    )["service"]["currentServiceDeployment"]  # fmt: skip
    time.sleep(clock.lesson(60.0) + 0.5)  # the first look passes over what is loud already
    alarm(name, loud=True)
    wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 60)
    assert service(name)["taskDefinition"] == first
    ecs().delete_service(cluster=CLUSTER, service=name, force=True)


def test_a_stopped_deployment_gives_the_traffic_back_at_once(site: Site) -> None:
    site.create({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 50.0, "canaryBakeTimeInMinutes": 1440}})
    arn = site.update()
    wait_until(lambda: site.weights() == [50, 50], 60)
    ecs().stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 60)
    assert site.weights() == [100, 0]
    assert site.answer() == "one"


def test_a_kill_in_the_middle_loses_neither_the_place_nor_the_way_back(site: Site) -> None:
    site.create({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 50.0, "canaryBakeTimeInMinutes": 1440}})
    arn = site.update()
    wait_until(lambda: site.weights() == [50, 50], 60)
    os.kill(server.health()["pid"], signal.SIGKILL)
    assert server.ensure_running().how == "recovered"
    wait_until(lambda: site.answer() in ("one", "two"), 30)
    assert deployment(arn)["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
    assert site.weights() == [50, 50]
    ecs().stop_service_deployment(serviceDeploymentArn=arn)
    wait_until(lambda: deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL", 60)
    assert site.weights() == [100, 0]


def test_a_newer_deployment_takes_the_place_of_one_under_way(site: Site) -> None:
    site.create({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 50.0, "canaryBakeTimeInMinutes": 1440}})
    site.update()
    wait_until(lambda: site.weights() == [50, 50], 60)
    with pytest.raises(ClientError, match="while a deployment shifts traffic"):
        site.update("three", deploymentConfiguration={"strategy": "ROLLING"})
    third = site.update("three", deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    passed = stages(third, site.is_done)
    assert passed[0] == "RECONCILE_SERVICE"
    assert site.answer() == "three"


def test_without_a_load_balancer_blue_green_bakes_beside_the_old_tasks(local_aws: Path) -> None:
    name = f"headless-{uuid.uuid4().hex[:6]}"
    ecs().create_cluster(clusterName=CLUSTER)
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    ecs().create_service(
        cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=1, launchType="FARGATE",
        networkConfiguration=network(), deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
    )  # fmt: skip
    done = lambda: service(name)["deployments"][0]["rolloutState"] == "COMPLETED"  # noqa: E731
    wait_until(done, 60)
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    ecs().update_service(cluster=CLUSTER, service=name, taskDefinition=name)
    wait_until(lambda: service(name)["runningCount"] == 2, 30)
    wait_until(lambda: done() and service(name)["runningCount"] == 1, 60)
    ecs().delete_service(cluster=CLUSTER, service=name, force=True)


def test_what_cannot_be_is_refused(site: Site, role: str) -> None:
    site.register("one")
    ecs().create_cluster(clusterName=CLUSTER)

    def refused(configuration: dict[str, Any], **balancer: Any) -> str:
        advanced = {**site.balancers[0]["advancedConfiguration"], **balancer}
        wanted = [{**site.balancers[0], "advancedConfiguration": advanced}] if balancer != {"none": True} else [
            {key: value for key, value in site.balancers[0].items() if key != "advancedConfiguration"}
        ]  # fmt: skip
        with pytest.raises(ClientError) as caught:
            ecs().create_service(
                cluster=CLUSTER, serviceName=site.name, taskDefinition=site.name, desiredCount=1, launchType="FARGATE",
                networkConfiguration=network(), loadBalancers=wanted, deploymentConfiguration=configuration,
            )  # fmt: skip
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
        return caught.value.response["Error"]["Message"]

    blue_green = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}
    assert "advancedConfiguration field is required" in refused(blue_green, none=True)
    assert "bakeTimeInMinutes is required" in refused({"strategy": "BLUE_GREEN"})
    assert "does not exist" in refused(blue_green, alternateTargetGroupArn=site.groups[1][:-2] + "zz")
    assert "must be different" in refused(blue_green, alternateTargetGroupArn=site.groups[0])
    assert "does not exist" in refused(blue_green, productionListenerRule=site.rules[0][:-2] + "zz")
    assert "unable to assume" in refused(blue_green, roleArn=role + "x")
    assert "multiple of 0.1" in refused({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.01}})
    assert "only be used" in refused({**blue_green, "linearConfiguration": {"stepPercent": 10.0}})
    assert "do not exist" in refused({**blue_green, "alarms": {"alarmNames": ["no"], "enable": True, "rollback": True}})
    assert [one for one in ecs().list_services(cluster=CLUSTER)["serviceArns"] if site.name in one] == []
