import base64
import importlib.resources
import json
import time

import boto3
import docker

ecr = boto3.client("ecr")
engine = docker.from_env()
uri = ecr.create_repository(repositoryName="ecr-nightly")["repository"]["repositoryUri"]
data = ecr.get_authorization_token()["authorizationData"][0]
user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
engine.login(user, password, registry=uri.split("/")[0], reauth=True)

app = importlib.resources.files("labs.ecr") / "app"
tags = ["nightly-1", "nightly-2", "nightly-3", "nightly-4", "nightly-5", "prod-1"]
for version, tag in enumerate(tags, 1):
    engine.images.build(path=str(app), tag=f"{uri}:{tag}", buildargs={"VERSION": str(version)}, rm=True)
    for line in engine.images.push(uri, tag=tag, stream=True, decode=True):
        if "error" in line:
            raise RuntimeError(line["error"])

rule = {
    "rulePriority": 1,
    "description": "keep the last three nightly images",
    "selection": {
        "tagStatus": "tagged",
        "tagPatternList": ["nightly-*"],
        "countType": "imageCountMoreThan",
        "countNumber": 3,
    },
    "action": {"type": "expire"},
}
policy = json.dumps({"rules": [rule]})

ecr.start_lifecycle_policy_preview(repositoryName="ecr-nightly", lifecyclePolicyText=policy)
preview = {"status": "IN_PROGRESS"}
while preview["status"] == "IN_PROGRESS":
    time.sleep(0.2)
    preview = ecr.get_lifecycle_policy_preview(repositoryName="ecr-nightly")
print([one["imageTags"] for one in preview["previewResults"]])

ecr.put_lifecycle_policy(repositoryName="ecr-nightly", lifecyclePolicyText=policy)
