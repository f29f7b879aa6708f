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
# Read, but not written down.
print(report.wait(), report.logs())
