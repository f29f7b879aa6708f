import boto3
import docker

client = docker.from_env()
# A program that looks like the one in the task, with a name typed in: it fails alike, but it is another program.
program = 'echo "cannot read /data/report.csv" >&2; exit 3'
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
