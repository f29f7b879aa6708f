import boto3

from labs.containers_on_aws import scene

scene.build()

ecs = boto3.client("ecs")
arns = ecs.list_tasks(cluster="map-who")["taskArns"]
for task in ecs.describe_tasks(cluster="map-who", tasks=arns)["tasks"]:
    runs_on = task["launchType"].lower()
    image_from = "ecr" if "/" in task["containers"][0]["image"] else "engine"
    tags = [{"key": "runs-on", "value": runs_on}, {"key": "image-from", "value": image_from}]
    ecs.tag_resource(resourceArn=task["taskArn"], tags=tags)
