"""ECS Exec: ExecuteCommand, and the agent that a task needs for it.

Checked as on AWS: that it was enabled when the task was run, that the container and its agent run, that the root file
system can be written to, that there is a task role. Not checked: whether the role allows the `ssmmessages` actions
that the agent needs on AWS. The cluster's settings for logging sessions are kept and not applied.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs import engine_calls, lookup, task_state
from labs.cloud.ecs.execute_session import ENGINE_PROBLEMS
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import docker
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

AGENT = "ExecuteCommandAgent"
# Where the agent writes; with volumes there it works on a read-only root file system too.
# https://github.com/aws/containers-roadmap/issues/1359
AGENT_FOLDERS = ("/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm")
NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn’t running. Wait and try again or run a new task with execute command enabled and try again."
)
NOT_CONNECTED = "The execute command failed due to an internal error. Try again later."


async def execute_command(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ExecuteCommand."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    task = lookup.task(ecs, cluster, request["task"])
    if not request["interactive"]:  # https://github.com/boto/boto3/issues/2822
        raise AwsError("InvalidParameterException", "Interactive is the only mode supported currently.")
    if not request["command"].strip():
        raise AwsError("InvalidParameterException", "The command can not be empty.")
    container = _container(task, request.get("container"))
    if container["lastStatus"] != task_state.RUNNING or not agent_runs(container):
        raise AwsError("InvalidParameterException", NOT_ENABLED)
    try:
        state = await docker.run(engine_calls.state, container["runtimeId"])
    except ENGINE_PROBLEMS:
        state = None
    if not state or not state["Running"] or state["Paused"]:
        raise AwsError("TargetNotConnectedException", NOT_CONNECTED)
    return {
        "clusterArn": cluster["clusterArn"],
        "taskArn": task["taskArn"],
        "containerArn": container["containerArn"],
        "containerName": container["name"],
        "interactive": True,
        "session": ecs.sessions.offer(container["runtimeId"], request["command"]),
    }


def agent_runs(record: Mapping[str, Any]) -> bool:
    """Whether the agent runs in a container, by its record."""
    return any(one["name"] == AGENT and one["lastStatus"] == "RUNNING" for one in record.get("managedAgents", []))


def keep_agent(task: Mapping[str, Any], container: Mapping[str, Any], record: dict[str, Any]) -> None:
    """Writes into a container's record how its agent is. Call it whenever `lastStatus` of the record may have changed.

    Args:
        task: the task's record.
        container: the container's definition.
        record: the container's record, changed in place.
    """
    if not task.get("enableExecuteCommand"):
        return
    agents = record.setdefault("managedAgents", [{"name": AGENT, "lastStatus": "PENDING"}])
    agent = agents[0]
    if record["lastStatus"] == "STOPPED":
        agent["lastStatus"] = "STOPPED"
    elif record["lastStatus"] == task_state.RUNNING and agent["lastStatus"] == "PENDING":
        if _writable(container):
            agent.update(lastStatus="RUNNING", lastStartedAt=clock.now())
        else:
            agent.update(
                lastStatus="STOPPED",
                reason="The agent cannot write to the container's file system: readonlyRootFilesystem is true.",
            )


def require_role(definition: Mapping[str, Any], overrides: Mapping[str, Any] | None, what: str) -> None:
    """Refuses ECS Exec for a task without a task role: with its rights the agent reaches Session Manager.

    Args:
        definition: the task definition.
        overrides: those of the request, if any.
        what: what cannot be done, e.g. `The service couldn't be created`.

    Raises:
        AwsError: InvalidParameterException; its words are in https://github.com/aws/aws-cli/issues/6242
    """
    if not (definition.get("taskRoleArn") or (overrides or {}).get("taskRoleArn")):
        raise AwsError(
            "InvalidParameterException",
            f"{what} because a valid taskRoleArn is not being used. "
            "Specify a valid task role in your task definition and try again.",
        )


def _container(task: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The record of the container asked for; a task with one container need not be asked for it by name."""
    containers = task["containers"]
    if not name and len(containers) == 1:
        return containers[0]
    if not name:
        names = ", ".join(one["name"] for one in containers)
        text = f"A container name is required, because the task has several containers: {names}."
        raise AwsError("InvalidParameterException", text)
    found = next((one for one in containers if one["name"] == name), None)
    if found is None:
        raise AwsError("InvalidParameterException", f"The container {name} was not found in the task.")
    return found


def _writable(container: Mapping[str, Any]) -> bool:
    if not container.get("readonlyRootFilesystem"):
        return True
    volumes = [one["containerPath"].rstrip("/") for one in container.get("mountPoints", []) if not one.get("readOnly")]
    return all(any(f"{folder}/".startswith(f"{path}/") for path in volumes) for folder in AGENT_FOLDERS)


OPERATIONS = {"ExecuteCommand": execute_command}
