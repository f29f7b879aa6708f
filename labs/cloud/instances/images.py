"""The ECS-optimized AMIs: their ids, and the public parameters in which AWS publishes them.

The ids are the course's own: an AMI's real id changes every few weeks.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
"""

import hashlib
import json

PREFIX = "/aws/service/ecs/optimized-ami/"
AGENT_VERSION = "1.100.0"
DOCKER_VERSION = "25.0.8"
# The families of parameters, and what AWS calls the operating system of each.
FAMILIES = {
    "amazon-linux-2023": "Amazon Linux 2023",
    "amazon-linux-2023/arm64": "Amazon Linux 2023",
    "amazon-linux-2": "Amazon Linux 2",
    "amazon-linux-2/arm64": "Amazon Linux 2",
}


def image_id(family: str) -> str:
    """The id of the recommended image of a family, e.g. of `amazon-linux-2023`."""
    return f"ami-{hashlib.sha256(family.encode()).hexdigest()[:17]}"


IDS = frozenset(image_id(family) for family in FAMILIES)


def parameters() -> dict[str, str]:
    """The public parameters, by name."""
    found = {}
    for family, system in FAMILIES.items():
        whole = {
            "ecs_agent_version": AGENT_VERSION,
            "ecs_runtime_version": f"Docker version {DOCKER_VERSION}",
            "image_id": image_id(family),
            "image_name": f"course-{family.replace('/', '-')}-ecs-optimized",
            "image_version": "1",
            "os": system,
            "schema_version": "1",
            "source_image_name": f"course-{family.replace('/', '-')}",
        }
        base = f"{PREFIX}{family}/recommended"
        found[base] = json.dumps(whole, separators=(",", ":"))
        found |= {f"{base}/{key}": value for key, value in whole.items()}
    return found
