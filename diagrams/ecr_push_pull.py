"""R06: an image's way through Amazon ECR, from a push to a pull."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "ecr_push_pull",
    "Amazon ECR: from a push to a pull",
    "You log in to a private repository of Amazon ECR and push an image. Its layers are stored in Amazon S3. A Fargate "
    "task pulls the image with its execution role and runs it.",
    nodes=[
        node("you", "terminal", "You", "aws, docker", at=(0, 0)),
        node("iam", "aws/security/identity-and-access-management-iam", "AWS IAM", "who may do what", at=(0, 1)),
        node("engine", "onprem/container/docker", "Docker engine", "image shop:1.0", at=(1, 0)),
        node("repository", "aws/compute/ec2-container-registry", "Repository shop", "manifests, tags", at=(2, 0)),
        node("s3", "aws/storage/simple-storage-service-s3", "Amazon S3", "layers; AWS keeps\nthe bucket", at=(2, 1)),
        node("task", "aws/compute/fargate", "Fargate task", "runs the image", at=(3, 0)),
        node("ecs", "aws/compute/elastic-container-service", "Amazon ECS", "task definition", at=(4, 0)),
        node("role", "aws/security/identity-and-access-management-iam-role", "Execution role", "may pull", at=(4, 1)),
    ],
    groups=[
        group("region", "region", "Region us-east-1", ["registry", "task", "ecs", "role"]),
        group("registry", "folder", "Amazon ECR, private registry", ["repository", "s3"]),
    ],
    edges=[
        edge("you", "iam", "token,\n12 hours", step=1, label_side="right"),
        edge("you", "engine", "login", step=2),
        edge("engine", "repository", "push", step=3),
        edge("repository", "s3", "layers", step=4, label_side="left"),
        edge("ecs", "task", "start", step=5, style="dashed"),
        edge("ecs", "role", "assume", step=6, style="dashed", label_side="left"),
        edge("repository", "task", "manifest", step=7),
        edge("s3", "task", "layers", step=8, leave="right", enter="bottom"),
    ],
    column_gaps={1: 60, 2: 60, 3: 70, 4: 60},
    row_gaps={1: 64},
    steps=[
        step("You ask ECR for a token of 12 hours; IAM decides whether you get one."),
        step("docker login takes the token as a password for the user AWS."),
        step("docker push sends layers that are not there yet, then the manifest with a tag.", "node-repository"),
        step("ECR stores layers in Amazon S3, in buckets of AWS that you never see; a scan may follow."),
        step("RunTask starts a Fargate task; its task definition names the repositoryUri and a tag."),
        step("The task's execution role is assumed, and with it comes another token."),
        step("The tag leads to a digest, the digest to the manifest: the list of the layers."),
        step("Each layer comes from S3 by a short-lived link; then the container starts.", "node-task"),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
