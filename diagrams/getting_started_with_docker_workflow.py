"""D12: from a Dockerfile to a running container, and to a registry."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "getting_started_with_docker_workflow",
    "From a Dockerfile to a running container",
    "The Docker client asks the Docker daemon to build an image from a Dockerfile and the app's files, to run a "
    "container from the image, and to push the image to a registry or pull it from there.",
    nodes=[
        node("you", "user", "You", at=(0, 0)),
        node("client", "terminal", "Docker client", "docker, or the SDK", at=(1, 0)),
        node("dockerfile", "file", "Dockerfile", "the recipe", at=(0, 1)),
        node("app", "files", "App files", "code, settings", at=(1, 1)),
        node("daemon", "onprem/container/docker", "Docker daemon", "dockerd", at=(2, 0)),
        node("image", "image", "Image", "read-only layers", at=(3, 0)),
        node("volume", "volume", "Volume", "data that stays", at=(2, 1)),
        node("container", "container", "Container", "a process with env,\nlistens on port 8000", at=(3, 1)),
        node("hub", "onprem/container/docker", "Docker Hub", at=(4, 0)),
        node("ecr", "aws/compute/ec2-container-registry", "Amazon ECR", at=(5, 0)),
        node("browser", "browser", "Browser", "127.0.0.1:8081", at=(4.5, 1)),
    ],
    groups=[
        group("context", "folder", "Build context", ["dockerfile", "app"]),
        group("host", "docker", "Docker host", ["daemon", "image", "container", "volume"]),
        group("registry", "outside", "Registries", ["hub", "ecr"]),
    ],
    edges=[
        edge("you", "client", "command", step=1),
        edge("context", "client"),
        edge("client", "daemon", "API", step=2),
        edge("daemon", "image", "docker build", step=3),
        edge("image", "container", "docker run", step=4, label_side="left"),
        edge("browser", "container", "8081 to 8000", step=5),
        edge("container", "volume", "mount", step=6),
        edge("image", "registry", "push, pull", step=7, both=True),
    ],
    column_gaps={4: 50},
    row_gaps={1: 30},
    steps=[
        step("You type a command; docker build also names a folder, the build context.", "group-context"),
        step("The client sends the command to the daemon's API, and for a build the files.", "edge-context-client"),
        step("The daemon follows the Dockerfile; unchanged layers come from the cache."),
        step("docker run starts a container: a process on the image, with a writable layer."),
        step("A published port leads from 127.0.0.1:8081 on the host to port 8000 in the container."),
        step("What the container writes to a volume stays when the container is removed."),
        step("docker push sends an image to a registry; docker pull brings one to the host."),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
