"""Services are scaled: by what their tasks use, by requests, by alarms, by schedules, and within their bounds.

A lesson's minute is 3 s here. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
"""

import contextlib
import http.client
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from cloud_lab import CLUSTER, network, register, service, wait_until
from scaling_lab import (
    activities,
    alarms,
    counts,
    create,
    delete,
    desired,
    refused,
    scale,
    scaling,
    sleeping,
    step,
    target,
    track,
)

from labs import settings
from labs.cloud import server

pytestmark = pytest.mark.usefixtures("local_aws")
# Answers '/'; '/burn' uses 50 ms of CPU time first, on however slow a machine.
BURNER = r"""
use strict; use warnings; use IO::Socket::INET; use POSIX ();
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die;
while (1) {
    my $client = $server->accept or next;
    my $line = <$client> // "";
    while (defined(my $header = <$client>)) { last if $header =~ /^\r?\n$/ }
    if ($line =~ m{ /burn}) { my $end = POSIX::clock() + 50_000; 1 while POSIX::clock() < $end }
    print $client "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    close $client;
}
"""


@pytest.fixture
def name() -> Iterator[str]:
    """A service that sleeps, with no task yet."""
    with sleeping() as chosen:
        yield chosen


class Web:
    """A service behind a load balancer, and its visitors."""

    def __init__(self) -> None:
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        elb, ec2 = boto3.client("elbv2"), boto3.client("ec2")
        subnets = network()["awsvpcConfiguration"]["subnets"]
        vpc = ec2.describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
        self.group = elb.create_target_group(
            Name=self.name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
        elb.modify_target_group_attributes(TargetGroupArn=self.group, Attributes=attributes)
        made = elb.create_load_balancer(Name=self.name, Subnets=subnets)["LoadBalancers"][0]
        self.balancer, self.host = made["LoadBalancerArn"], made["DNSName"]
        elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )  # fmt: skip
        register(self.name, settings.BASE_IMAGE, command=["perl", "-e", BURNER], portMappings=[{"containerPort": 8080}])
        create(
            self.name, taskDefinition=self.name, desiredCount=1,
            loadBalancers=[{"targetGroupArn": self.group, "containerName": "main", "containerPort": 8080}],
        )  # fmt: skip
        wait_until(lambda: self.get("/") == 200, 60)
        self.label = f"{self.balancer.partition(':loadbalancer/')[2]}/{self.group.rpartition(':')[2]}"

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": self.host})
            response = connection.getresponse()
            response.read()
            return response.status

    @contextlib.contextmanager
    def visited(self, path: str, each_second: float) -> Iterator[None]:
        """Sends so many requests each second, whatever the answers take."""
        ended = threading.Event()

        def visit() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.get(path)

        def run() -> None:
            while not ended.wait(1 / each_second):
                threading.Thread(target=visit, daemon=True).start()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def remove(self) -> None:
        delete(self.name)
        elb = boto3.client("elbv2")
        elb.delete_load_balancer(LoadBalancerArn=self.balancer)
        elb.delete_target_group(TargetGroupArn=self.group)


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.remove()


def is_steady(name: str, count: int) -> bool:
    found = service(name)
    return found["desiredCount"] == found["runningCount"] == count and len(found["deployments"]) == 1


def put(metric: str, value: float, **dimensions: str) -> None:
    pairs = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="Course", MetricData=[{"MetricName": metric, "Dimensions": pairs, "Value": value}]
    )


def alarm(name: str, actions: list[str], **more: Any) -> None:
    """An alarm on the backlog of a queue of this name: above 10, it runs the actions."""
    boto3.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name, "Namespace": "Course", "MetricName": "Backlog", "Statistic": "Average", "Period": 60,
            "Dimensions": [{"Name": "Queue", "Value": name}], "EvaluationPeriods": 1, "Threshold": 10,
            "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": actions, **more,
        }
    )  # fmt: skip


def state(name: str) -> str:
    return boto3.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def held_at_two(name: str) -> bool:
    """Whether the low alarm has asked for fewer tasks in vain. Until then there must be two all the time."""
    assert desired(name) == 2
    told = activities(name, IncludeNotScaledActivities=True)
    return any(one.get("NotScaledReasons", [{}])[0].get("Code") == "AutoScalingAnticipatedFlapping" for one in told)


def test_cpu_scales_out_and_in_and_a_steady_load_does_not_flap(web: Web) -> None:
    """3 requests a second of 50 ms each are 60 % of a task of 0.25 vCPU, and 30 % of two: too little for three, and
    too much for one, although it is below the low alarm's 45 %.
    """
    scale(web.name, 1, 4)
    track(web.name, "ECSServiceAverageCPUUtilization", 50, ScaleOutCooldown=60, ScaleInCooldown=60)
    with web.visited("/burn", 3):
        wait_until(lambda: desired(web.name) > 1, 60)
        [first] = activities(web.name)
        assert first["Description"] == "Setting desired count to 2."
        high = alarms(web.name)["AlarmHigh"]
        assert first["Cause"] == f"monitor alarm {high['AlarmName']} in state ALARM triggered policy track"
        wait_until(lambda: activities(web.name)[0]["StatusCode"] == "Successful", 60)
        assert activities(web.name)[0]["StatusMessage"].endswith("Change successfully fulfilled by ecs.")
        wait_until(lambda: held_at_two(web.name), 120)
        assert alarms(web.name)["AlarmLow"]["StateValue"] == "ALARM"
    wait_until(lambda: desired(web.name) == 1, 90)
    assert counts(web.name) == [2, 1]
    found = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": web.name}],
        StartTime=datetime.now(UTC) - timedelta(minutes=10),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=10,
        Statistics=["Maximum", "Average"],
    )["Datapoints"]
    assert max(one["Maximum"] for one in found) > 50  # the target: what started it all
    assert min(one["Average"] for one in found) < 20


def test_requests_scale_out_within_the_maximum(web: Web) -> None:
    """10 requests a second are 600 a minute: for 100 each they would need six tasks, and there may be three."""
    scale(web.name, 1, 3)
    track(web.name, "ALBRequestCountPerTarget", 100, label=web.label, ScaleOutCooldown=0)
    with web.visited("/", 10):
        wait_until(lambda: desired(web.name) == 3, 60)

        def told() -> bool:
            found = activities(web.name, IncludeNotScaledActivities=True)[-1]
            return found.get("NotScaledReasons") == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 3}]

        wait_until(told, 60)
    assert desired(web.name) == 3


def test_bounds_are_held_when_they_are_told(name: str) -> None:
    scale(name, 2, 4)
    wait_until(lambda: desired(name) == 2)
    assert activities(name)[0]["Cause"] == "minimum capacity was set to 2"
    wait_until(lambda: activities(name)[0]["StatusCode"] == "Successful", 60)
    scale(name, 0, 1)
    wait_until(lambda: desired(name) == 1)
    assert activities(name)[1]["Cause"] == "maximum capacity was set to 1"


def test_an_alarm_runs_the_step_that_fits_its_breach(name: str) -> None:
    scale(name, 0, 6)
    more = step(name, "more", [(0, 40, 1), (40, None, 4)], Cooldown=60)
    less = step(name, "less", [(None, 0, -100)], AdjustmentType="PercentChangeInCapacity", Cooldown=60)
    alarm(name, [more], OKActions=[less])
    put("Backlog", 1000, Queue="another one")
    put("Backlog", 90, Queue=name)
    wait_until(lambda: desired(name) == 4, 30)
    assert state(name) == "ALARM"
    assert activities(name)[0]["Cause"] == f"monitor alarm {name} in state ALARM triggered policy more"
    wait_until(lambda: activities(name)[0]["StatusCode"] == "Successful", 60)

    def is_empty() -> bool:
        put("Backlog", 0, Queue=name)
        return desired(name) == 0

    wait_until(is_empty, 30)
    assert activities(name)[-1]["Cause"] == f"monitor alarm {name} in state OK triggered policy less"


def test_one_datapoint_is_not_three_and_other_dimensions_do_not_count(name: str) -> None:
    """The backend by itself says ALARM at the first datapoint, and for the queues of others too."""
    scale(name, 0, 2)
    alarm(name, [step(name, "more", [(0, None, 1)])], EvaluationPeriods=3)
    put("Backlog", 1000, Queue=name)
    wait_until(lambda: state(name) == "INSUFFICIENT_DATA")
    end = time.monotonic() + 12

    def others() -> bool:
        put("Backlog", 1000, Queue="another one")
        assert desired(name) == 0
        return time.monotonic() > end

    wait_until(others, 20)
    wait_until(lambda: state(name) == "INSUFFICIENT_DATA")

    def ours() -> bool:
        put("Backlog", 1000, Queue=name)
        return desired(name) == 1

    wait_until(ours, 30)


def test_a_cooldown_holds_back_the_next_step(name: str) -> None:
    """300 s are 15 s here. Within them, what was added already counts."""
    scale(name, 0, 9)
    alarm(name, [step(name, "more", [(0, None, 1)], Cooldown=300)])

    def reaches(count: int) -> bool:
        put("Backlog", 50, Queue=name)
        assert desired(name) <= count
        return desired(name) == count

    wait_until(lambda: reaches(1))
    wait_until(lambda: reaches(2), 60)
    first, second = activities(name)[:2]
    assert (second["StartTime"] - first["EndTime"]).total_seconds() >= 14.9


def test_suspended_scaling_waits(name: str) -> None:
    scale(name, 0, 3, SuspendedState={"DynamicScalingOutSuspended": True})
    alarm(name, [step(name, "more", [(0, None, 1)])])

    def is_alarm() -> bool:
        put("Backlog", 50, Queue=name)
        return state(name) == "ALARM"

    wait_until(is_alarm)
    end = time.monotonic() + 7
    wait_until(lambda: is_alarm() and desired(name) == 0 and time.monotonic() > end)
    scaling().register_scalable_target(**target(name), SuspendedState={"DynamicScalingOutSuspended": False})
    wait_until(lambda: is_alarm() and desired(name) == 1)


def test_a_scheduled_action_sets_the_bounds_and_is_over(name: str) -> None:
    scale(name, 0, 3)
    soon = datetime.now(UTC) + timedelta(seconds=3)
    scaling().put_scheduled_action(
        **target(name),
        ScheduledActionName="now",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    wait_until(lambda: desired(name) == 1)
    assert datetime.now(UTC) >= soon.replace(microsecond=0)
    assert re.fullmatch(r"minimum capacity was set to 1", activities(name)[0]["Cause"])
    resource = target(name)["ResourceId"]
    query = {"ServiceNamespace": "ecs", "ResourceIds": [resource]}
    found = scaling().describe_scalable_targets(**query)["ScalableTargets"][0]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 2)
    answer = scaling().describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=resource)
    assert answer["ScheduledActions"] == []


def test_a_metric_of_ones_own_is_tracked_also_after_a_kill(name: str) -> None:
    """The backlog of each task is to be 10. Two tasks with 30 each need six."""
    scale(name, 2, 8)
    scaling().put_scaling_policy(
        **target(name),
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10,
            "CustomizedMetricSpecification": {
                "Namespace": "Course",
                "MetricName": "BacklogOfTask",
                "Dimensions": [{"Name": "Queue", "Value": name}],
                "Statistic": "Average",
            },
        },
    )
    wait_until(lambda: is_steady(name, 2), 60)
    record = server.health()
    assert record is not None
    os.kill(record["pid"], signal.SIGKILL)
    server.ensure_running()

    def is_scaled() -> bool:
        put("BacklogOfTask", 60 / max(1, service(name)["runningCount"]), Queue=name)
        time.sleep(0.5)
        return desired(name) == 6

    wait_until(is_scaled, 60)
    assert counts(name) == [2, 6]
    assert refused("delete_scaling_policy", **target(name), PolicyName="other")[0] == "ObjectNotFoundException"
