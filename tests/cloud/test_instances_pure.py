"""User data, instance types, images: what needs no engine.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bootstrap_container_instance.html
https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html
"""

import base64

import pytest

from labs.cloud.instances import types, user_data


@pytest.mark.parametrize(
    ("script", "content"),
    [
        ("#!/bin/bash\necho ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n", "ECS_CLUSTER=demo\n"),
        ("#!/bin/bash\necho 'ECS_CLUSTER=demo' > /etc/ecs/ecs.config; reboot\n", "ECS_CLUSTER=demo\n"),
        ('#!/bin/bash\necho "ECS_CLUSTER=demo" | sudo tee -a /etc/ecs/ecs.config\n', "ECS_CLUSTER=demo\n"),
        (
            "#!/bin/bash\ncat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER=demo\n"
            'ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}\nEOF\necho done\n',
            'ECS_CLUSTER=demo\nECS_INSTANCE_ATTRIBUTES={"stack": "prod"}\n',
        ),
        (
            "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<-END\n\tECS_CLUSTER=demo\n\tEND\n"
            "echo ECS_LOGLEVEL=debug >> /etc/ecs/ecs.config\n",
            "ECS_CLUSTER=demo\nECS_LOGLEVEL=debug\n",
        ),
        (
            "echo ECS_CLUSTER=a >> /etc/ecs/ecs.config\necho ECS_CLUSTER=b > /etc/ecs/ecs.config",
            "ECS_CLUSTER=b\n",
        ),
        ("echo ECS_CLUSTER=demo >> /etc/other\nyum update -y", ""),
        ("echo 'unfinished >> /etc/ecs/ecs.config", ""),
        ("", ""),
    ],
)
def test_what_user_data_says_to_the_agent(script: str, content: str) -> None:
    assert user_data.configuration(script) == content


def test_user_data_is_read_and_not_run() -> None:
    script = "echo ECS_CLUSTER=$(touch never) >> /etc/ecs/ecs.config\necho ECS_LOGLEVEL=info >> /etc/ecs/ecs.config"
    assert user_data.configuration(script) == "ECS_LOGLEVEL=info\n"


def test_user_data_comes_in_base64_or_plain() -> None:
    assert user_data.decode(base64.b64encode(b"#!/bin/sh\n").decode()) == "#!/bin/sh\n"
    assert user_data.decode("#!/bin/sh\n") == "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("name", "vcpus", "memory", "architecture"),
    [
        ("t2.micro", 1, 1024, "x86_64"),
        ("t2.medium", 2, 4096, "x86_64"),
        ("t3.nano", 2, 512, "x86_64"),
        ("t3.small", 2, 2048, "x86_64"),
        ("t4g.medium", 2, 4096, "arm64"),
        ("m5.large", 2, 8192, "x86_64"),
        ("m6g.medium", 1, 4096, "arm64"),
        ("c5.xlarge", 4, 8192, "x86_64"),
        ("c7g.large", 2, 4096, "arm64"),
        ("r6i.2xlarge", 8, 65536, "x86_64"),
    ],
)
def test_an_instance_type_has_what_aws_lists(name: str, vcpus: int, memory: int, architecture: str) -> None:
    found = types.size(name)
    assert (found.vcpus, found.memory, found.architecture) == (vcpus, memory, architecture)
    assert 0.85 * memory < found.registered_memory < memory


@pytest.mark.parametrize("name", ["m5.medium", "t3.4xlarge", "z9.large", "m5"])
def test_types_that_do_not_exist_are_not_known(name: str) -> None:
    assert types.known(name) is None
