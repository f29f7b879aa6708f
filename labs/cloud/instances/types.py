"""What an instance type has: vCPUs, memory, and what its processor is.

https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html,
https://docs.aws.amazon.com/ec2/latest/instancetypes/co.html,
https://docs.aws.amazon.com/ec2/latest/instancetypes/mo.html
"""

from typing import NamedTuple

DEFAULT = "t3.micro"  # for a type that is not in the table

_BURSTABLE = {"nano": (2, 0.5), "micro": (2, 1), "small": (2, 2), "medium": (2, 4), "large": (2, 8), "xlarge": (4, 16),
              "2xlarge": (8, 32)}  # fmt: skip
_SIZES = {"medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32}
_GIB_PER_VCPU = {"c": 2.0, "m": 4.0, "r": 8.0}
_GENERATIONS = ("5", "5a", "5d", "5n", "6a", "6g", "6gd", "6i", "7a", "7g", "7gd", "7i", "8g", "8i")
_ONE_VCPU = {"t2": {"nano": (1, 0.5), "micro": (1, 1), "small": (1, 2)}}
# The kernel and what runs beside the agent keep this much; the agent registers the rest. An estimate: AWS does not say.
KERNEL_SHARE, KERNEL_MIB = 1 / 32, 48


class Size(NamedTuple):
    """What a type has: vCPUs, MiB of memory, `x86_64` or `arm64`."""

    vcpus: int
    memory: int
    architecture: str

    @property
    def registered_memory(self) -> int:
        """What an ECS agent finds free of it, in MiB."""
        return int(self.memory * (1 - KERNEL_SHARE)) - KERNEL_MIB


def size(name: str) -> Size:
    """The size of an instance type; that of `DEFAULT` for one that is not known."""
    return known(name) or known(DEFAULT) or Size(2, 1024, "x86_64")


def known(name: str) -> Size | None:
    """The size of an instance type of the common families; None for others."""
    family, _, word = name.partition(".")
    if family in ("t2", "t3", "t3a", "t4g"):
        found = _ONE_VCPU.get(family, {}).get(word) or _BURSTABLE.get(word)
        return Size(found[0], int(found[1] * 1024), "arm64" if family == "t4g" else "x86_64") if found else None
    kind, generation = family[:1], family[1:]
    if kind not in _GIB_PER_VCPU or generation not in _GENERATIONS or word not in _SIZES:
        return None
    is_arm = "g" in generation
    vcpus = _SIZES[word]
    if word == "medium" and not (is_arm or generation == "7a"):
        return None
    return Size(vcpus, int(vcpus * _GIB_PER_VCPU[kind] * 1024), "arm64" if is_arm else "x86_64")
