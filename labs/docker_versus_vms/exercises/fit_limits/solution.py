import importlib.resources

import docker

client = docker.from_env()
app = importlib.resources.files("labs.docker_versus_vms") / "app"
client.images.build(path=str(app), tag="wall-web:1", rm=True)

client.containers.run(
    "wall-web:1",
    name="wall-fit",
    detach=True,
    environment={"NEED": "40"},
    mem_limit="80m",
    memswap_limit="80m",
    nano_cpus=500_000_000,
)
