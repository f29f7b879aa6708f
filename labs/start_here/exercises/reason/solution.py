import boto3
import docker

client = docker.from_env()

# A name can be taken only once, so an earlier try goes first.
for earlier in client.containers.list(
    all=True, filters={"name": "^start-report$", "label": "course=containers-on-aws"}
):
    earlier.remove(force=True)

program = 'echo "cannot read /data/$(hostname).csv" >&2; exit 3'
report = client.containers.run(
    "debian:bookworm-slim",
    ["sh", "-c", program],
    name="start-report",
    labels={"course": "containers-on-aws"},
    detach=True,
)
code = report.wait()["StatusCode"]
line = report.logs().decode().splitlines()[-1]
print(code, line)

boto3.client("ssm").put_parameter(Name="start-report", Value=f"{code}: {line}", Type="String", Overwrite=True)
