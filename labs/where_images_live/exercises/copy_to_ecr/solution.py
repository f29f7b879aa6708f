import base64
import importlib.resources
import time
import urllib.request

import boto3
import docker

ecr = boto3.client("ecr")
engine = docker.from_env()
lab = importlib.resources.files("labs.where_images_live")
course = {"course": "containers-on-aws"}

engine.images.build(path=str(lab / "registry"), tag="reg-registry:1", rm=True)
registry = engine.containers.run(
    "reg-registry:1", name="reg-copy", detach=True, labels=course, ports={"5000/tcp": ("127.0.0.1", None)}
)
registry.reload()
address = "127.0.0.1:" + registry.ports["5000/tcp"][0]["HostPort"]
app = f"{address}/reg-copy-app"
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


original, _ = engine.images.build(path=str(lab / "app"), tag=f"{app}:1.0", buildargs={"VERSION": "1"}, rm=True)
push(app, "1.0")

uri = ecr.create_repository(repositoryName="reg-copy")["repository"]["repositoryUri"]
data = ecr.get_authorization_token()["authorizationData"][0]
user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
engine.login(user, password, registry=uri.split("/")[0], reauth=True)
original.tag(uri, "1.0")
push(uri, "1.0")
