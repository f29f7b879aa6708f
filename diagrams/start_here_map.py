"""How the course works: everything runs on the learner's own machine."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "start_here_map",
    "How this course works: all of it runs on your machine",
    "Notebook cells in JupyterLab talk to a local AWS and to the Docker engine on the same machine; real containers "
    "run there, checks look at them, and the real AWS stays outside.",
    nodes=[
        node("you", "user", "You", at=(0, 1)),
        node("jupyter", "browser", "JupyterLab", "in your browser", at=(1, 1)),
        node("cell", "notebook", "Notebook cell", "boto3, aws, docker", at=(2, 1)),
        node("gateway", "gateway", "Gateway", "127.0.0.1:4566", at=(3, 0)),
        node("backend", "services", "Embedded backend", "ECS, ALB, S3, logs ...", at=(4, 0)),
        node("engine", "onprem/container/docker", "Docker engine", at=(3, 1)),
        node("containers", "containers", "Real containers", "ECS tasks, and your own", at=(4, 1)),
        node("check", "check", "Check", "done, or not yet", at=(3, 2)),
        node("progress", "progress", "Progress", "a file of yours", at=(4, 2)),
        node("aws", "cloud", "Real AWS", "only if you\nchoose it", at=(5, 0), ghost=True),
    ],
    groups=[
        group("machine", "machine", "Your machine", ["jupyter", "local", "docker", "check", "progress"]),
        group("local", "local", "Local AWS", ["gateway", "backend"]),
        group("docker", "docker", "Docker", ["engine", "containers"]),
        group("cloud", "outside", "AWS Cloud", ["aws"]),
    ],
    edges=[
        edge("you", "jupyter", step=1),
        edge("jupyter", "cell"),
        edge("cell", "gateway", "boto3, aws", step=2, leave="top", enter="left", label_on=1),
        edge("gateway", "backend"),
        edge("cell", "engine", "docker", step=3),
        edge("engine", "containers", "runs"),
        edge("backend", "containers", "a task is a container", step=4, label_side="left"),
        edge("cell", "check", "chapter.check", step=5, leave="bottom", enter="left", label_on=1),
        edge("check", "docker", "looks at what runs", style="dashed"),
        edge("check", "progress", "verdict"),
        edge("local", "aws", "refused", step=6, style="dotted", ghost=True),
    ],
    row_gaps={1: 44, 2: 44},
    steps=[
        step("You read and run a notebook in JupyterLab, in your browser.", "edge-jupyter-cell", "node-cell"),
        step("Cells with boto3 or the aws command talk to the local AWS at 127.0.0.1:4566.", "node-backend"),
        step("Cells with docker talk to the Docker engine of your machine.", "node-containers"),
        step("An ECS task in the local AWS is a real container, which docker ps shows."),
        step("A check looks at what really runs, gives a verdict and adds it to your progress file.", "node-progress"),
        step("A request to the real AWS is refused, unless you choose a real account yourself."),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
