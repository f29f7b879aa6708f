import base64
import importlib.resources

import boto3
import docker

ecr = boto3.client("ecr")
engine = docker.from_env()
uri = ecr.create_repository(
    repositoryName="ecr-release",
    imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
    imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev*"}],
)["repository"]["repositoryUri"]
data = ecr.get_authorization_token()["authorizationData"][0]
user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
engine.login(user, password, registry=uri.split("/")[0], reauth=True)
app = importlib.resources.files("labs.ecr") / "app"


def push(version, tag):
    """Build the app in a version and push it under a tag."""
    engine.images.build(path=str(app), tag=f"{uri}:{tag}", buildargs={"VERSION": version}, rm=True)
    for line in engine.images.push(uri, tag=tag, stream=True, decode=True):
        if "error" in line:
            print(line["error"])


push("1", "1.0")
push("1", "dev")
push("2", "1.1")
push("2", "dev")
