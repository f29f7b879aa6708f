"""D11: the same three apps in virtual machines and in containers, side by side: what each brings, what they share."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "docker_versus_vms_side_by_side",
    "Virtual machines and containers, side by side",
    "Two machines with the same hardware. On the left, a hypervisor runs two virtual machines, each with a kernel and "
    "an operating system of its own under its app. On the right, one Linux kernel runs three containers, each a walled "
    "process with files of its own and no kernel.",
    nodes=[
        node("app_a", "browser", "App A", "and its libraries", at=(0, 0)),
        node("app_b", "browser", "App B", "and its libraries", at=(1, 0)),
        node("kernel_a", "kernel", "Guest kernel", "a whole system boots", at=(0, 1)),
        node("kernel_b", "kernel", "Guest kernel", "a whole system boots", at=(1, 1)),
        node("hypervisor", "hypervisor", "Hypervisor", "pretends to be hardware", at=(0, 2)),
        node("metal", "processor", "Processor, memory, disk", "divided in fixed parts", at=(1, 2)),
        node("box_a", "container", "Container", "app A and its files", at=(2, 0)),
        node("box_b", "container", "Container", "app B and its files", at=(3, 0)),
        node("box_c", "container", "Container", "app C and its files", at=(4, 0)),
        node("engine", "onprem/container/docker", "Docker engine", "asks for the walls", at=(2, 1)),
        node("kernel", "kernel", "One Linux kernel", "namespaces, cgroups", at=(3, 1)),
        node("iron", "processor", "Processor, memory, disk", "given out as needed", at=(3, 2)),
    ],
    groups=[
        group("left", "machine", "Virtual machines", ["vm_a", "vm_b", "hypervisor", "metal"]),
        group("vm_a", "folder", "Machine A", ["app_a", "kernel_a"]),
        group("vm_b", "folder", "Machine B", ["app_b", "kernel_b"]),
        group("right", "machine", "Containers", ["boxes", "engine", "kernel", "iron"]),
        group("boxes", "docker", "Walled processes", ["box_a", "box_b", "box_c"]),
    ],
    edges=[
        edge("app_a", "kernel_a", "asks", step=1),
        edge("app_b", "kernel_b", ""),
        edge("vm_a", "hypervisor", "traps", step=2),
        edge("hypervisor", "metal", "", step=3),
        edge("boxes", "kernel", "system calls", step=4),
        edge("engine", "kernel", "", step=5),
        edge("kernel", "iron", "instructions", step=6),
    ],
    column_gaps={2: 50},
    row_gaps={1: 40, 2: 40},
    steps=[
        step(
            "In a virtual machine an app asks a kernel that is there for it alone, and was booted like any computer's."
        ),
        step("What that kernel does to its hardware, the hypervisor catches and carries out."),
        step("Each machine gets its share of processor and memory at its start, and holds it, used or not."),
        step("Containers are processes, and all of them ask the one kernel that is there already: nothing boots."),
        step(
            "The engine has the kernel put walls round each: namespaces for what it sees, cgroups for what it may use."
        ),
        step("Memory and processor go where they are needed, so many containers fit."),
    ],
)

if __name__ == "__main__":
    save(PICTURE, __file__)
