"""Change sets, nested stacks, the AWS CLI's `deploy`, and a kill in the middle.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloud_lab import ASLEEP, wait_until
from formation_lab import (
    FAST,
    body,
    create,
    delete,
    formation,
    outputs,
    physical,
    refused,
    resources,
    service,
    settled,
    stack,
    story,
    task,
    unique,
    update,
)

from labs import settings
from labs.cloud import server

pytestmark = pytest.mark.usefixtures("local_aws")

AWS = str(Path(sys.executable).with_name("aws"))


def change_set(name: str, template: str, **more: Any) -> dict[str, Any]:
    made = formation().create_change_set(StackName=name, ChangeSetName="next", TemplateBody=template, **more)
    return formation().describe_change_set(ChangeSetName=made["Id"])


def test_a_change_set_tells_what_would_happen_and_then_does_it() -> None:
    name = unique("changes")
    cluster = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": f"{name}-one"}}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 10}}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Cluster"}}}
    first = change_set(name, body({"Cluster": cluster, "Queue": queue, "Topic": topic}), ChangeSetType="CREATE")
    assert (first["Status"], first["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert {one["ResourceChange"]["Action"] for one in first["Changes"]} == {"Add"}
    assert stack(name)["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert resources(name) == {}
    formation().execute_change_set(ChangeSetName=first["ChangeSetId"])
    assert settled(name)["StackStatus"] == "CREATE_COMPLETE"
    assert story(name)[:2] == [f"{name} REVIEW_IN_PROGRESS", f"{name} CREATE_IN_PROGRESS"]

    same = change_set(name, body({"Cluster": cluster, "Queue": queue, "Topic": topic}))
    assert (same["Status"], same["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert same["StatusReason"].startswith("The submitted information didn't contain changes.")
    formation().delete_change_set(ChangeSetName="next", StackName=name)

    cluster["Properties"]["ClusterName"] = f"{name}-two"
    queue["Properties"]["VisibilityTimeout"] = 20
    second = change_set(name, body({"Cluster": cluster, "Queue": queue, "Topic": topic, "New": topic}))
    found = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in second["Changes"]}
    assert {key: (one["Action"], one.get("Replacement")) for key, one in found.items()} == {
        "Cluster": ("Modify", "True"), "Queue": ("Modify", "False"), "Topic": ("Modify", "False"), "New": ("Add", None),
    }  # fmt: skip
    assert found["Cluster"]["Details"][0]["Target"] == {
        "Attribute": "Properties", "Name": "ClusterName", "RequiresRecreation": "Always",
    }  # fmt: skip
    assert physical(name, "Cluster") == f"{name}-one"  # nothing has been done yet
    formation().execute_change_set(ChangeSetName="next", StackName=name)
    formation().get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert physical(name, "Cluster") == f"{name}-two"
    assert refused("execute_change_set", ChangeSetName="next", StackName=name)[0] == "InvalidChangeSetStatus"
    code, message = refused("describe_change_set", ChangeSetName="none", StackName=name)
    assert (code, message) == ("ChangeSetNotFound", "ChangeSet [none] does not exist")
    delete(name)


def test_the_cli_deploys(tmp_path: Path) -> None:
    """`deploy` looks every 30 s, so it updates once here."""
    name = unique("deploy")
    template = tmp_path / "template.yaml"

    def text(retention: int) -> str:
        group = f"{{Type: AWS::Logs::LogGroup, Properties: {{RetentionInDays: {retention}}}}}"
        return f"Resources:\n  Cluster: {{Type: AWS::ECS::Cluster}}\n  Group: {group}\n"

    def deploy() -> str:
        arguments = ["--stack-name", name, "--template-file", str(template), "--no-fail-on-empty-changeset"]
        done = subprocess.run(
            [AWS, "cloudformation", "deploy", *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    create(name, text(1))
    template.write_text(text(3))
    assert f"Successfully created/updated stack - {name}" in deploy()
    assert stack(name)["StackStatus"] == "UPDATE_COMPLETE"
    assert "No changes to deploy" in deploy()
    group = boto3.client("logs").describe_log_groups(logGroupNamePrefix=physical(name, "Group"))["logGroups"][0]
    assert group["retentionInDays"] == 3
    delete(name)


def test_a_nested_stack() -> None:
    name = unique("nest")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=name)
    inner = body(
        {"Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": {"Ref": "Name"}}}},
        Parameters={"Name": {"Type": "String"}},
        Outputs={"Arn": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}}},
    )
    s3.put_object(Bucket=name, Key="inner.json", Body=inner.encode())
    url = f"https://{name}.s3.amazonaws.com/inner.json"
    child = {"Type": "AWS::CloudFormation::Stack",
             "Properties": {"TemplateURL": url, "Parameters": {"Name": f"{name}-one"}}}  # fmt: skip
    outer = {"Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Arn"]}}}}
    stack_id = create(name, body({"Child": child}, **outer))
    child_id = physical(name, "Child")
    assert stack(child_id)["ParentId"] == stack(child_id)["RootId"] == stack_id
    assert outputs(name)["Arn"].endswith(f"cluster/{name}-one")
    child["Properties"]["Parameters"]["Name"] = f"{name}-two"
    update(name, body({"Child": child}, **outer))
    assert physical(name, "Child") == child_id
    assert outputs(name)["Arn"].endswith(f"cluster/{name}-two")
    delete(name)
    assert stack(child_id)["StackStatus"] == "DELETE_COMPLETE"
    assert boto3.client("ecs").describe_clusters(clusters=[f"{name}-two"])["clusters"][0]["status"] == "INACTIVE"


def test_a_kill_in_the_middle_only_delays_a_stack() -> None:
    name = unique("killed")
    check = {"Command": ["CMD-SHELL", "test -e /proc/1"], "Interval": 5, "StartPeriod": 1}
    template = body({
        "Group": {"Type": "AWS::Logs::LogGroup"},
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": task(settings.BASE_IMAGE, Command=ASLEEP, HealthCheck=check),
        "Service": service(),
        "After": {"Type": "AWS::SNS::Topic", "DependsOn": "Service"},
    })  # fmt: skip
    create(name, template, wait=None)
    wait_until(lambda: resources(name).get("Service", {}).get("PhysicalResourceId"))
    assert "After CREATE_IN_PROGRESS" not in story(name)
    made = physical(name, "Service")
    os.kill(server.health()["pid"], signal.SIGKILL)
    assert server.ensure_running().how == "recovered"
    assert settled(name)["StackStatus"] == "CREATE_COMPLETE"
    assert physical(name, "Service") == made
    told = story(name)
    assert told.count("Service CREATE_COMPLETE") == 1
    assert told.index("Service CREATE_COMPLETE") < told.index("After CREATE_IN_PROGRESS")
    delete(name)
