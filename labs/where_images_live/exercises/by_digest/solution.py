import importlib.resources
import time
import urllib.request

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
for _ in range(100):  # a registry that was just started does not listen yet
    try:
        urllib.request.urlopen(f"http://{address}/v2/", timeout=2).close()
        break
    except OSError:
        time.sleep(0.1)


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
