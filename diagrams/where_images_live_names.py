"""D06 to D08: where the name of an image leads, and who pulls from there."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "where_images_live_names",
    "Where the name of an image leads",
    "A build machine pulls base images from Docker Hub or the ECR Public Gallery and pushes its own image to a private "
    "repository of Amazon ECR. A task pulls from there. A pull-through cache in ECR keeps copies of images of "
    "Docker Hub.",
    nodes=[
        node("gallery", "aws/compute/ec2-container-registry", "ECR Public Gallery", "public, by AWS", at=(0, 0)),
        node("engine", "onprem/container/docker", "Build machine", "Docker engine", at=(1, 0)),
        node("hub", "onprem/container/docker", "Docker Hub", "a name without a host", at=(1, 1)),
        node("private", "aws/compute/ec2-container-registry", "Repository shop", "private", at=(2, 0)),
        node("cache", "aws/compute/ec2-container-registry", "Pull-through cache", "copies of others", at=(2, 1)),
        node("task", "aws/compute/fargate", "Fargate task", "runs one digest", at=(3, 0)),
    ],
    groups=[
        group("region", "region", "Region us-east-1", ["registry", "task"]),
        group("registry", "folder", "Amazon ECR, private registry", ["private", "cache"]),
    ],
    edges=[
        edge("hub", "engine", "base image", step=1, label_side="right"),
        edge("gallery", "engine", "base image", step=2),
        edge("engine", "private", "push", step=3),
        edge("private", "task", "pull", step=4),
        edge("hub", "cache", "once a day\nat most", step=5, style="dashed"),
        edge("cache", "task", "pull", step=6, leave="right", enter="bottom"),
    ],
    column_gaps={1: 100, 2: 80, 3: 80},
    row_gaps={1: 72},
    steps=[
        step(
            "FROM debian has no host in the name, so the engine asks Docker Hub, which counts pulls by address or user."
        ),
        step("A name that begins with the gallery's host leads there, and no log-in is needed."),
        step("Your own image has a name that begins with your private registry; layers already there are not sent."),
        step("The task definition names this image: the tag leads to a digest, the digest to the layers."),
        step("A rule of ECR fetches an image of Docker Hub at the first pull, and keeps a copy near you."),
        step("A hundred tasks pull the copy, and Docker Hub's limit does not count them."),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
