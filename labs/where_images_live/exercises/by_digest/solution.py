import importlib.resources

import docker

engine = docker.from_env()
lab = importlib.resources.files("labs.where_images_live")
course = {"course": "containers-on-aws"}

engine.images.build(path=str(lab / "registry"), tag="reg-registry:1", rm=True)
registry = engine.containers.run(
    "reg-registry:1", name="reg-old", detach=True, labels=course, ports={"5000/tcp": ("127.0.0.1", None)}
)
registry.reload()
address = "127.0.0.1:" + registry.ports["5000/tcp"][0]["HostPort"]
app = f"{address}/reg-old-app"


def push(version: str) -> str:
    """Build a version and push it as 1.0; returns its digest."""
    engine.images.build(path=str(lab / "app"), tag=f"{app}:1.0", buildargs={"VERSION": version}, rm=True)
    digest = ""
    for line in engine.images.push(app, tag="1.0", stream=True, decode=True):
        if "error" in line:
            raise RuntimeError(line["error"])
        digest = line.get("aux", {}).get("Digest", digest)
    return digest


old = push("1")
new = push("2")
name = f"{app}@{old}"
engine.images.pull(name)
engine.containers.run(name, name="reg-old-run", detach=True, labels=course)
