import docker

client = docker.from_env()

# A name can be taken only once, so an earlier try goes first.
for earlier in client.containers.list(all=True, filters={"name": "^start-hello$", "label": "course=containers-on-aws"}):
    earlier.remove(force=True)

output = client.containers.run(
    "debian:bookworm-slim",
    ["echo", "bonjour"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
)
print(output.decode())
