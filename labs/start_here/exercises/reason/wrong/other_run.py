import boto3
import docker

client = docker.from_env()
program = 'echo "cannot read /data/$(hostname).csv" >&2; exit 3'
report = client.containers.run(
    "debian:bookworm-slim",
    ["sh", "-c", program],
    name="start-report",
    labels={"course": "containers-on-aws"},
    detach=True,
)
code = report.wait()["StatusCode"]
line = report.logs().decode().strip()
boto3.client("ssm").put_parameter(Name="start-report", Value=f"{code}: {line}", Type="String", Overwrite=True)

# Run once more afterwards: the parameter now speaks of a container that is gone.
report.remove()
again = client.containers.run(
    "debian:bookworm-slim",
    ["sh", "-c", program],
    name="start-report",
    labels={"course": "containers-on-aws"},
    detach=True,
)
again.wait()
