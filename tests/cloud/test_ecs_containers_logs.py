"""awslogs: what a container prints is in CloudWatch Logs soon, whole, in order and once."""

import os
import signal
import time

import boto3
import pytest
from cloud_lab import wait_until
from test_ecs_containers import await_status, container, container_of, fails, output, run, start, stop

from labs.cloud import server

pytestmark = pytest.mark.usefixtures("local_aws")


def with_options(command: str, **options: str) -> dict:
    made = container(command)
    made["logConfiguration"]["options"].update({f"awslogs-{name}": value for name, value in options.items()})
    return made


def test_every_line_arrives_in_order_before_the_task_is_stopped() -> None:
    lines = run(container("for i in $(seq 20000); do echo line $i; done; echo; printf unfinished"))
    assert lines == [*(f"line {number}" for number in range(1, 20001)), "unfinished"]


def test_a_line_is_there_within_moments() -> None:
    arn = start(container("sleep 1; date +%s.%N; sleep 600", stopTimeout=2))
    await_status(arn, "RUNNING")
    wait_until(lambda: output(arn))
    assert time.time() - float(output(arn)[0]) < 2
    stop(arn)


def test_a_long_line_is_whole_and_one_over_the_limit_is_cut() -> None:
    lines = run(container("head -c 100000 /dev/zero | tr '\\0' a; echo; head -c 300000 /dev/zero | tr '\\0' b; echo"))
    assert [(len(line), set(line)) for line in lines] == [(100_000, {"a"}), (262_118, {"b"}), (37_882, {"b"})]


def test_the_output_of_a_terminal() -> None:
    assert run(container("echo one; [ -t 1 ] && echo two", pseudoTerminal=True)) == ["one", "two"]


@pytest.mark.parametrize(
    "options", [{"multiline-pattern": r"^\d{4}-"}, {"datetime-format": "%Y-%m-%d"}], ids=["pattern", "datetime"]
)
def test_lines_that_belong_together_are_one_event(options: dict[str, str]) -> None:
    command = "printf '2026-01-01 boom\\n  at a\\n  at b\\n2026-01-02 well\\n'; sleep 2; echo late"
    lines = run(with_options(command, **options))
    assert lines == ["2026-01-01 boom\n  at a\n  at b\n", "2026-01-02 well\n", "late\n"]


def test_a_log_group_that_is_missing_stops_the_task() -> None:
    made = with_options("true", group="/none", **{"create-group": "false"})
    assert fails(made) == (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. "
        ": exit status 1"
    )
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/none")["logGroups"]
    assert groups == []


def test_the_log_group_is_made_when_asked_for_in_the_region_asked_for() -> None:
    await_status(start(with_options("echo here", group="/elsewhere", region="eu-west-1")))
    logs = boto3.client("logs", region_name="eu-west-1")
    streams = logs.describe_log_streams(logGroupName="/elsewhere")["logStreams"]
    assert len(streams) == 1
    name = streams[0]["logStreamName"]
    events = logs.get_log_events(logGroupName="/elsewhere", logStreamName=name)["events"]
    assert [event["message"] for event in events] == ["here"]


def test_nothing_is_lost_or_doubled_when_the_gateway_is_killed_twice() -> None:
    count = 2500
    command = f"for i in $(seq {count}); do echo line $i; sleep .003; done; until [ -e /tmp/end ]; do sleep .1; done"
    arn = start(container(command))
    await_status(arn, "RUNNING")
    for _ in range(2):
        seen = len(_so_far(arn))
        wait_until(lambda least=seen + 100: len(_so_far(arn)) > least)
        os.kill(server.health()["pid"], signal.SIGKILL)
        wait_until(lambda: server.health() is None)
        assert server.ensure_running().how == "recovered"
    wait_until(lambda: len(_so_far(arn)) >= count, 60)
    made = container_of(arn)
    assert made.status == "running"  # the task was not started anew
    made.exec_run(["touch", "/tmp/end"])  # noqa: S108
    await_status(arn)
    assert output(arn) == [f"line {number}" for number in range(1, count + 1)]


def _so_far(arn: str) -> list[str]:
    """The lines that have arrived; none while the stream is not there (again)."""
    try:
        return output(arn)
    except boto3.client("logs").exceptions.ResourceNotFoundException:
        return []
