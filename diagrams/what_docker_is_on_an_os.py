"""D05: an operating system with Docker on it, and what containers share."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "what_docker_is_on_an_os",
    "Docker on an operating system",
    "On one machine with one operating system the Docker engine starts containers from images of a registry. Each "
    "container has files of its own; all of them use the one Linux kernel and the one processor of the machine.",
    nodes=[
        node("registry", "image", "Images", "in a registry", at=(0, 0)),
        node("engine", "onprem/container/docker", "Docker engine", "a program\nlike others", at=(1, 0)),
        node("shop", "container", "Container", "shop: Perl 5.36\non Debian's files", at=(2, 0)),
        node("billing", "container", "Container", "billing: Java 21\non Alpine's files", at=(3, 0)),
        node("ledger", "container", "Container", "ledger: a script\nof 2009", at=(4, 0)),
        node("editor", "terminal", "Other programs", "as ever", at=(1, 1)),
        node("kernel", "kernel", "Linux kernel", "one for all", at=(3, 1)),
        node("processor", "processor", "Processor, memory, disk", "x86 or Arm", at=(3, 2)),
    ],
    groups=[
        group("machine", "machine", "A machine: your laptop, a server, an EC2 instance", ["os", "processor"]),
        group("os", "folder", "Operating system", ["engine", "boxes", "editor", "kernel"]),
        group("boxes", "docker", "Containers: processes with files of their own", ["shop", "billing", "ledger"]),
    ],
    edges=[
        edge("registry", "engine", "pull", step=1),
        edge("engine", "boxes", "starts", step=2),
        edge("boxes", "kernel", "system calls", step=3),
        edge("editor", "kernel", "system calls"),
        edge("kernel", "processor", "instructions", step=4),
    ],
    column_gaps={1: 40, 2: 60},
    row_gaps={1: 40, 2: 40},
    steps=[
        step("The engine pulls an image: the files that a program needs, in layers, and a note how to start it."),
        step("It starts a container: a process that sees the image's files and little else of the machine."),
        step(
            "Containers and other programs ask one kernel for files, memory and the network, so an image for "
            "Linux needs a Linux kernel.",
            "node-editor",
            "edge-editor-kernel",
        ),
        step("The processor runs the program's instructions, so they must be of its kind: x86 or Arm."),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
