import importlib.resources
import time
import urllib.request

import docker

engine = docker.from_env()
lab = importlib.resources.files("labs.where_images_live")
course = {"course": "containers-on-aws"}

engine.images.build(path=str(lab / "registry"), tag="reg-registry:1", rm=True)
registry = engine.containers.run(
    "reg-registry:1", name="reg-tags", detach=True, labels=course, ports={"5000/tcp": ("127.0.0.1", None)}
)
registry.reload()
address = "127.0.0.1:" + registry.ports["5000/tcp"][0]["HostPort"]
app = f"{address}/reg-tags-app"
for _ in range(100):  # a registry that was just started does not listen yet
    try:
        urllib.request.urlopen(f"http://{address}/v2/", timeout=2).close()
        break
    except OSError:
        time.sleep(0.1)


def push(name: str, tag: str) -> None:
    """Push one tag; the SDK reports a refusal as a line, so look at each."""
    for line in engine.images.push(name, tag=tag, stream=True, decode=True):
        if "error" in line:
            raise RuntimeError(line["error"])


engine.images.build(path=str(lab / "app"), tag=f"{app}:1.0", buildargs={"VERSION": "1"}, rm=True)
second, _ = engine.images.build(path=str(lab / "app"), tag=f"{app}:1.1", buildargs={"VERSION": "2"}, rm=True)
second.tag(app, "latest")
push(app, "1.0")
push(app, "1.1")
push(app, "latest")
