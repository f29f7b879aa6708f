"""Tasks and services on container instances.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/launch-type-comparison.html
"""

import http.client
import os
from collections import Counter
from collections.abc import Iterator

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, container_of, ours, service, wait_until
from instances_lab import (
    address,
    define,
    joined,
    launch,
    left,
    machine,
    profile,
    registered,
    run,
    runs,
    stop_all,
    task,
    terminate,
)

from labs import settings
from labs.cloud import server
from labs.cloud.engine import labels

ZONES = ("us-east-1a", "us-east-1b")
SLEEP = {"command": ASLEEP}


@pytest.fixture(scope="module")
def pair(local_aws: object) -> Iterator[list[str]]:
    """Two instances of 2 vCPUs and 2 GiB in two zones."""
    boto3.client("ecs").create_cluster(clusterName=CLUSTER)
    profile()
    ids = [launch(SubnetId=subnet(zone))[0] for zone in ZONES]
    joined(ids)
    yield ids
    terminate(*ids)


@pytest.fixture
def both(pair: list[str]) -> Iterator[list[str]]:
    """The two instances, without any task before and after."""
    yield pair
    stop_all()


def subnet(zone: str) -> str:
    filters = [{"Name": "availability-zone", "Values": [zone]}, {"Name": "default-for-az", "Values": ["true"]}]
    return boto3.client("ec2").describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"]


def by_arn() -> dict[str, str]:
    return {one["containerInstanceArn"]: one["ec2InstanceId"] for one in registered()}


def sleeper(family: str, memory: int = 64, cpu: int = 128, **more: object) -> str:
    return define(family, settings.BASE_IMAGE, {**SLEEP, "memory": memory, "cpu": cpu}, **more)


def fetch(host: str, port: int, name: str | None = None) -> str:
    line = http.client.HTTPConnection(host, port, timeout=5)
    try:
        line.request("GET", "/", headers={"Host": name} if name else {})
        return line.getresponse().read().decode()
    finally:
        line.close()


def answers(host: str, port: int) -> bool:
    try:
        return bool(fetch(host, port))
    except OSError:
        return False


def make_service(name: str, definition: str, count: int | None, **more: object) -> None:
    wanted = {"desiredCount": count} if count is not None else {}
    boto3.client("ecs").create_service(
        cluster=CLUSTER, serviceName=name, taskDefinition=definition, launchType="EC2", **wanted, **more
    )


def drop_service(name: str) -> None:
    boto3.client("ecs").delete_service(cluster=CLUSTER, service=name, force=True)
    wait_until(lambda: service(name)["status"] == "INACTIVE", 60)


def steady(name: str, count: int) -> None:
    wait_until(
        lambda: (
            service(name)["runningCount"] == count and service(name)["deployments"][0]["rolloutState"] == "COMPLETED"
        ),
        60,
    )


def events(name: str) -> list[str]:
    return [one["message"] for one in service(name)["events"]]


def test_a_task_takes_of_its_instance_and_gives_back(both: list[str]) -> None:
    arn = run(sleeper("ec2-one", memory=256, cpu=512))["tasks"][0]["taskArn"]
    found = runs(arn)
    instance = next(one for one in registered() if one["containerInstanceArn"] == found["containerInstanceArn"])
    assert found["launchType"] == "EC2"
    assert "platformVersion" not in found
    assert instance["runningTasksCount"] == 1
    registered_memory = next(one for one in instance["registeredResources"] if one["name"] == "MEMORY")["integerValue"]
    assert (left(instance, "CPU"), left(instance, "MEMORY")) == (2048 - 512, registered_memory - 256)
    zone = next(one["value"] for one in instance["attributes"] if one["name"] == "ecs.availability-zone")
    assert found["availabilityZone"] == zone
    assert boto3.client("ecs").list_tasks(cluster=CLUSTER, containerInstance=instance["containerInstanceArn"])[
        "taskArns"
    ] == [arn]
    stop_all()
    assert all(left(one, "CPU") == 2048 for one in registered())


def test_limits_are_the_containers_and_at_most_the_instances(both: list[str]) -> None:
    definition = define("ec2-soft", settings.BASE_IMAGE, {**SLEEP, "memory": None, "memoryReservation": 128})
    arn = run(definition)["tasks"][0]["taskArn"]
    runs(arn)
    limits = container_of(arn).attrs["HostConfig"]
    memory = next(one for one in registered()[0]["registeredResources"] if one["name"] == "MEMORY")["integerValue"]
    assert limits["Memory"] == memory * 1024 * 1024
    assert limits["MemoryReservation"] == 128 * 1024 * 1024
    assert limits["NanoCpus"] == min(2, os.cpu_count() or 1) * 10**9
    assert limits["CpuShares"] == 128


def test_a_cluster_fills_up_and_says_so(both: list[str]) -> None:
    answer = run(sleeper("ec2-big", memory=1200), 3, placementStrategy=[{"type": "binpack", "field": "memory"}])
    assert len(answer["tasks"]) == 2
    assert {one["reason"] for one in answer["failures"]} == {"RESOURCE:MEMORY"}
    assert {one["arn"] for one in answer["failures"]} == set(by_arn())
    nothing = run(sleeper("ec2-cpu", cpu=4096))
    assert nothing["tasks"] == []
    assert {one["reason"] for one in nothing["failures"]} == {"RESOURCE:CPU"}


@pytest.mark.parametrize(
    ("strategy", "spread"),
    [
        ({"type": "binpack", "field": "memory"}, [4]),
        ({"type": "spread", "field": "instanceId"}, [2, 2]),
        (None, [2, 2]),
    ],
)
def test_binpack_and_spread(both: list[str], strategy: dict | None, spread: list[int]) -> None:
    more = {"placementStrategy": [strategy]} if strategy else {}
    answer = run(sleeper("ec2-many"), 4, **more)
    counts = Counter(one["containerInstanceArn"] for one in answer["tasks"])
    assert sorted(counts.values()) == spread
    for one in answer["tasks"]:
        runs(one["taskArn"])


def test_constraints(both: list[str]) -> None:
    definition = sleeper("ec2-where")
    zone = {"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1b"}
    found = run(definition, 2, placementConstraints=[zone])["tasks"]
    assert {by_arn()[one["containerInstanceArn"]] for one in found} == {both[1]}
    apart = run(definition, 3, group="apart", placementConstraints=[{"type": "distinctInstance"}])
    assert len({one["containerInstanceArn"] for one in apart["tasks"]}) == 2
    assert {one["reason"] for one in apart["failures"]} == {"DistinctInstance placement constraint unsatisfied."}
    beside = {"type": "memberOf", "expression": "not(task:group == family:ec2-where)"}
    assert {
        by_arn()[one["containerInstanceArn"]]
        for one in run(definition, group="b", placementConstraints=[beside])["tasks"]
    } == {both[0]}
    with pytest.raises(ClientError, match="Invalid placement constraint expression"):
        run(definition, placementConstraints=[{"type": "memberOf", "expression": "color == red"}])


def test_a_disconnected_agent_gets_no_tasks(both: list[str]) -> None:
    machine(both[0]).exec_run(["systemctl", "stop", "ecs"])
    wait_until(lambda: sum(one["agentConnected"] for one in registered()) == 1)
    answer = run(sleeper("ec2-many"), 2)
    machine(both[0]).exec_run(["systemctl", "start", "ecs"])
    assert {by_arn()[one["containerInstanceArn"]] for one in answer["tasks"]} == {both[1]}
    wait_until(lambda: all(one["agentConnected"] for one in registered()))


def test_dynamic_ports_lead_to_the_right_task(both: list[str], web_image: str) -> None:
    definition = define("ec2-web", web_image, {"portMappings": [{"containerPort": 8080}]})
    found = [runs(one["taskArn"]) for one in run(definition, 4)["tasks"]]
    names = set()
    for one in found:
        (binding,) = one["containers"][0]["networkBindings"]
        assert (binding["containerPort"], binding["protocol"]) == (8080, "tcp")
        assert 32768 <= binding["hostPort"] <= 60999
        host = address(by_arn()[one["containerInstanceArn"]])
        wait_until(lambda host=host, port=binding["hostPort"]: answers(host, port))
        names.add(fetch(host, binding["hostPort"]))
    assert len(names) == 4
    taken = [port for one in registered() for port in left(one, "PORTS")]
    assert {str(one["containers"][0]["networkBindings"][0]["hostPort"]) for one in found} <= set(taken)
    gone = found[0]
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=gone["taskArn"])
    wait_until(lambda: task(gone["taskArn"])["lastStatus"] == "STOPPED")
    host, port = (
        address(by_arn()[gone["containerInstanceArn"]]),
        gone["containers"][0]["networkBindings"][0]["hostPort"],
    )
    wait_until(lambda: not answers(host, port))


def test_udp_ports_are_led_too(both: list[str]) -> None:
    definition = define(
        "ec2-udp", settings.BASE_IMAGE, {**SLEEP, "portMappings": [{"containerPort": 53, "protocol": "udp"}]}
    )
    found = runs(run(definition)["tasks"][0]["taskArn"])
    binding = found["containers"][0]["networkBindings"][0]
    assert binding["protocol"] == "udp"
    rules = machine(by_arn()[found["containerInstanceArn"]]).exec_run(["iptables", "-t", "nat", "-S", "ECS"]).output
    assert f"-p udp -m udp --dport {binding['hostPort']} -j DNAT".encode() in rules
    instance = next(one for one in registered() if one["containerInstanceArn"] == found["containerInstanceArn"])
    assert left(instance, "PORTS_UDP") == [str(binding["hostPort"])]


def test_a_fixed_port_is_there_once_an_instance(both: list[str], web_image: str) -> None:
    definition = define("ec2-fixed", web_image, {"portMappings": [{"containerPort": 8080, "hostPort": 8088}]})
    answer = run(definition, 3)
    assert len(answer["tasks"]) == 2
    assert {one["reason"] for one in answer["failures"]} == {"RESOURCE:PORTS"}
    for one in answer["tasks"]:
        host = address(by_arn()[runs(one["taskArn"])["containerInstanceArn"]])
        wait_until(lambda host=host: answers(host, 8088))


def test_host_mode_has_the_network_of_the_instance(both: list[str], web_image: str) -> None:
    definition = define("ec2-host", web_image, {"portMappings": [{"containerPort": 8080}]}, networkMode="host")
    answer = run(definition, 3)
    assert len(answer["tasks"]) == 2
    for one in answer["tasks"]:
        found = runs(one["taskArn"])
        assert found["containers"][0]["networkBindings"][0]["hostPort"] == 8080
        host = address(by_arn()[found["containerInstanceArn"]])
        wait_until(lambda host=host: answers(host, 8080))


def test_none_mode_has_no_network(both: list[str]) -> None:
    arn = run(sleeper("ec2-none", networkMode="none"))["tasks"][0]["taskArn"]
    runs(arn)
    assert list(container_of(arn).attrs["NetworkSettings"]["Networks"]) == ["none"]


def test_awsvpc_lives_in_a_subnet_of_the_instances_zone(both: list[str]) -> None:
    definition = sleeper("ec2-vpc", networkMode="awsvpc")
    network = {"awsvpcConfiguration": {"subnets": [subnet("us-east-1b")]}}
    found = runs(run(definition, networkConfiguration=network)["tasks"][0]["taskArn"])
    assert by_arn()[found["containerInstanceArn"]] == both[1]
    assert found["attachments"][0]["status"] == "ATTACHED"


def test_a_container_has_the_host_name_of_its_definition(both: list[str]) -> None:
    arn = run(define("ec2-named", settings.BASE_IMAGE, {**SLEEP, "hostname": "ledger"}))["tasks"][0]["taskArn"]
    runs(arn)
    assert container_of(arn).exec_run(["hostname"]).output.decode().strip() == "ledger"


def test_links_reach_the_other_container(both: list[str]) -> None:
    containers = [
        {"name": "one", "image": settings.BASE_IMAGE, "memory": 64, "command": ASLEEP},
        {"name": "two", "image": settings.BASE_IMAGE, "memory": 64, "links": ["one:peer"], "command": ASLEEP},
    ]
    definition = boto3.client("ecs").register_task_definition(family="ec2-links", containerDefinitions=containers)
    arn = run(definition["taskDefinition"]["taskDefinitionArn"])["tasks"][0]["taskArn"]
    runs(arn)
    found = docker.from_env().containers.list(filters={"label": f"{labels.TASK_ARN}={arn}"})
    two = next(one for one in found if one.labels["com.amazonaws.ecs.container-name"] == "two")
    assert two.exec_run(["getent", "hosts", "peer"]).exit_code == 0


def test_a_host_path_is_one_of_the_instance(both: list[str]) -> None:
    volume = {"name": "data", "host": {"sourcePath": "/etc"}}
    write = ["sh", "-c", f"ls /mnt; echo written > /mnt/course-proof; {ASLEEP[2]}"]
    mount = [{"sourceVolume": "data", "containerPath": "/mnt"}]
    definition = define("ec2-path", settings.BASE_IMAGE, {"command": write, "mountPoints": mount}, volumes=[volume])
    found = runs(run(definition)["tasks"][0]["taskArn"])
    instance = by_arn()[found["containerInstanceArn"]]
    wait_until(lambda: machine(instance).exec_run(["cat", "/disk/etc/course-proof"]).output == b"written\n")
    assert container_of(found["taskArn"]).logs() == b""  # nothing of any other /etc
    assert not os.path.exists("/etc/course-proof")  # noqa: PTH110


@pytest.mark.parametrize(
    ("container", "more"),
    [
        ({"privileged": True}, {}),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]}}, {}),
        (
            {"mountPoints": [{"sourceVolume": "root", "containerPath": "/mnt"}]},
            {
                "volumes": [
                    {
                        "name": "root",
                        "dockerVolumeConfiguration": {"driverOpts": {"type": "none", "o": "bind", "device": "/"}},
                    }
                ]
            },
        ),
    ],
)
def test_nothing_reaches_the_machine_itself(both: list[str], container: dict, more: dict) -> None:
    arn = run(define("ec2-out", settings.BASE_IMAGE, {**SLEEP, **container}, **more))["tasks"][0]["taskArn"]
    wait_until(lambda: task(arn)["lastStatus"] == "STOPPED")
    assert "this machine" in task(arn)["stoppedReason"]


def test_start_task_names_the_instance(both: list[str]) -> None:
    ecs, definition = boto3.client("ecs"), sleeper("ec2-start", memory=1200)
    arn = next(arn for arn, instance in by_arn().items() if instance == both[1])
    unknown = arn[:-4] + "0000"
    answer = ecs.start_task(cluster=CLUSTER, taskDefinition=definition, containerInstances=[arn, unknown])
    assert [one["containerInstanceArn"] for one in answer["tasks"]] == [arn]
    assert answer["failures"] == [{"arn": unknown, "reason": "MISSING"}]
    runs(answer["tasks"][0]["taskArn"])
    again = ecs.start_task(cluster=CLUSTER, taskDefinition=definition, containerInstances=[arn])
    assert again["failures"] == [{"arn": arn, "reason": "RESOURCE:MEMORY"}]


def test_a_service_that_finds_no_room_says_which_instance_is_closest(both: list[str]) -> None:
    make_service("ec2-full", sleeper("ec2-big", memory=1200), 3)
    words = "was unable to place a task because no container instance met all of its requirements. The closest matching"
    wait_until(lambda: any(words in one and "has insufficient memory available" in one for one in events("ec2-full")))
    wait_until(lambda: service("ec2-full")["runningCount"] == 2)
    third = launch()
    joined(third)
    wait_until(lambda: service("ec2-full")["runningCount"] == 3, 30)
    drop_service("ec2-full")
    terminate(*third)
    wait_until(lambda: len(registered()) == 2)


def test_draining_replaces_the_tasks_of_services_and_leaves_others(both: list[str]) -> None:
    ecs, definition = boto3.client("ecs"), sleeper("ec2-many")
    make_service("ec2-drain", definition, 2)
    steady("ec2-drain", 2)
    arn = next(arn for arn, instance in by_arn().items() if instance == both[0])
    alone = ecs.start_task(cluster=CLUSTER, taskDefinition=definition, containerInstances=[arn])["tasks"][0]["taskArn"]
    runs(alone)
    ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")

    def of_service() -> list[str]:
        found = ecs.list_tasks(cluster=CLUSTER, serviceName="ec2-drain")["taskArns"]
        return [one["containerInstanceArn"] for one in ecs.describe_tasks(cluster=CLUSTER, tasks=found)["tasks"]]

    fewest = []
    wait_until(
        lambda: (
            fewest.append(service("ec2-drain")["runningCount"]) or (len(of_service()) == 2 and arn not in of_service())
        ),
        30,
    )
    assert min(fewest) == 2  # minimumHealthyPercent 100: the new one runs first
    assert task(alone)["lastStatus"] == "RUNNING"
    assert run(definition)["tasks"][0]["containerInstanceArn"] != arn
    ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="ACTIVE")
    drop_service("ec2-drain")


def test_a_daemon_runs_once_on_each_instance(both: list[str]) -> None:
    make_service("ec2-daemon", sleeper("ec2-many"), None, schedulingStrategy="DAEMON")
    steady("ec2-daemon", 2)
    third = launch()
    joined(third)
    wait_until(lambda: service("ec2-daemon")["runningCount"] == 3, 30)
    found = boto3.client("ecs").list_tasks(cluster=CLUSTER, serviceName="ec2-daemon")["taskArns"]
    assert len({task(one)["containerInstanceArn"] for one in found}) == 3
    terminate(*third)
    wait_until(lambda: service("ec2-daemon")["desiredCount"] == 2 and service("ec2-daemon")["runningCount"] == 2, 30)
    drop_service("ec2-daemon")


def test_a_terminated_instance_takes_its_tasks_along_and_services_replace_them(both: list[str]) -> None:
    third = launch(kind="t3.medium")
    joined(third)
    arn = next(arn for arn, instance in by_arn().items() if instance == third[0])
    on_third = {"type": "memberOf", "expression": "attribute:ecs.instance-type == t3.medium"}
    alone = run(sleeper("ec2-many"), placementConstraints=[on_third])["tasks"][0]["taskArn"]
    runs(alone)
    make_service("ec2-gone", sleeper("ec2-many"), 3, placementStrategy=[{"type": "spread", "field": "instanceId"}])
    steady("ec2-gone", 3)
    terminate(*third)
    wait_until(lambda: task(alone)["lastStatus"] == "STOPPED", 15)
    assert task(alone)["stoppedReason"] == f"Host EC2 (instance {third[0]}) terminated."
    wait_until(lambda: arn not in by_arn())
    wait_until(lambda: service("ec2-gone")["runningCount"] == 3, 30)
    assert {one["ec2InstanceId"] for one in registered()} == set(both)
    drop_service("ec2-gone")


def test_a_kill_of_the_gateway_leaves_tasks_and_ports_as_they_are(both: list[str], web_image: str) -> None:
    definition = define("ec2-web", web_image, {"portMappings": [{"containerPort": 8080}]})
    arn = run(definition)["tasks"][0]["taskArn"]
    found = runs(arn)
    host, port = (
        address(by_arn()[found["containerInstanceArn"]]),
        found["containers"][0]["networkBindings"][0]["hostPort"],
    )
    wait_until(lambda: answers(host, port))
    container = container_of(arn).id
    os.kill(server.health()["pid"], 9)
    assert answers(host, port)  # nobody is needed for it
    assert server.ensure_running().how == "recovered"
    assert runs(arn)["containerInstanceArn"] == found["containerInstanceArn"]
    assert container_of(arn).id == container
    wait_until(lambda: all(one["agentConnected"] for one in registered()))
    more = run(definition)["tasks"][0]["taskArn"]
    second = runs(more)
    host = address(by_arn()[second["containerInstanceArn"]])
    port = second["containers"][0]["networkBindings"][0]["hostPort"]
    wait_until(lambda: answers(host, port))


def test_a_stop_and_a_start_bring_instances_and_services_back(both: list[str]) -> None:
    before = by_arn()
    make_service("ec2-again", sleeper("ec2-many"), 2)
    steady("ec2-again", 2)
    server.stop()
    assert ours() == []
    server.ensure_running()
    joined(both)
    assert by_arn() == before
    wait_until(lambda: service("ec2-again")["runningCount"] == 2, 30)
    assert service("ec2-again")["deployments"][0]["failedTasks"] == 0
    drop_service("ec2-again")


def test_a_service_behind_a_load_balancer_by_instance_and_port(both: list[str], web_image: str) -> None:
    elb = boto3.client("elbv2")
    subnets = [subnet(zone) for zone in ZONES]
    vpc = boto3.client("ec2").describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    balancer = elb.create_load_balancer(Name="ec2-lb", Subnets=subnets)["LoadBalancers"][0]
    checks = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    group = elb.create_target_group(
        Name="ec2-targets", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance", **checks
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    )
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    definition = define("ec2-web", web_image, {"portMappings": [{"containerPort": 8080}]})
    link = {"targetGroupArn": group, "containerName": "main", "containerPort": 8080}
    make_service("ec2-lb", definition, 3, loadBalancers=[link])
    steady("ec2-lb", 3)
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert {one["Target"]["Id"] for one in health} == set(both)
    assert len({(one["Target"]["Id"], one["Target"]["Port"]) for one in health}) == 3
    names = set()

    def all_seen() -> bool:
        names.add(fetch(settings.GATEWAY_HOST, settings.gateway_port(), balancer["DNSName"]))
        return len(names) == 3

    wait_until(all_seen)
    drop_service("ec2-lb")
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []


def test_instance_changes_are_events(both: list[str]) -> None:
    sqs, rules = boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName="instances")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = '{"source": ["aws.ecs"], "detail-type": ["ECS Container Instance State Change"]}'
    rules.put_rule(Name="instances", EventPattern=pattern)
    rules.put_targets(Rule="instances", Targets=[{"Id": "1", "Arn": arn}])
    instance = registered()[0]["containerInstanceArn"]
    boto3.client("ecs").update_container_instances_state(
        cluster=CLUSTER, containerInstances=[instance], status="DRAINING"
    )
    seen = []
    wait_until(lambda: seen.extend(sqs.receive_message(QueueUrl=url).get("Messages", [])) or seen, 10)
    assert instance in seen[0]["Body"]
    assert '"status": "DRAINING"' in seen[0]["Body"] or '"status":"DRAINING"' in seen[0]["Body"]
    boto3.client("ecs").update_container_instances_state(
        cluster=CLUSTER, containerInstances=[instance], status="ACTIVE"
    )
    rules.remove_targets(Rule="instances", Ids=["1"])
    rules.delete_rule(Name="instances")


def test_an_empty_cluster_refuses_a_task_and_keeps_a_service_waiting(both: list[str]) -> None:
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="empty")
    words = "No Container Instances were found in your cluster"
    with pytest.raises(ClientError, match=words):
        run(sleeper("ec2-many"), cluster="empty")
    waits = {"cluster": "empty", "serviceName": "waits", "launchType": "EC2", "desiredCount": 1}
    ecs.create_service(taskDefinition="ec2-many", **waits)
    wait_until(
        lambda: words in str(ecs.describe_services(cluster="empty", services=["waits"])["services"][0]["events"])
    )
    ecs.delete_service(cluster="empty", service="waits", force=True)
