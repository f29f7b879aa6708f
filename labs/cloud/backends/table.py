"""The one table of what each chapter needs and what each backend offers. `status` shows it, chapters speak of it.

Names are SigV4 signing names of services, and `local images`: a task definition may name an image that was just built
in this machine's Docker. Of LocalStack the table has what its last open release has; a plan's may have more.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

LOCAL_IMAGES = "local images"
# Ours, on every backend but a real account.
OURS = frozenset(
    {
        "application-autoscaling",
        "apprunner",
        "autoscaling",
        "cloudformation",
        "ecr",
        "ecs",
        "elasticloadbalancing",
        "pipes",
        "scheduler",
        LOCAL_IMAGES,
    },
)
_EVERYWHERE = frozenset(
    {
        "ec2", "events", "iam", "logs", "monitoring", "secretsmanager", "sns", "sqs", "ssm", "sts",
    },
)  # fmt: skip
OFFERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # https://pypi.org/project/ministack/1.5.33/
        "embedded": OURS | _EVERYWHERE | {"dynamodb", "eks", "elasticfilesystem", "lambda", "s3", "tagging"},
        # https://docs.localstack.cloud/aws/licensing/ (2026-03-17): elasticfilesystem and eks come with the plan
        # Ultimate. Functions need its own access to Docker, which the course does not give.
        "localstack": OURS | _EVERYWHERE | {"dynamodb", "s3", "tagging"},
        # App Runner takes no new customers since 2026-04-30; `labs.cloud.backends.aws.services` is what passes.
        "aws": (OURS - {LOCAL_IMAGES, "pipes"}) | _EVERYWHERE | {"apprunner", "eks", "elasticfilesystem", "tagging"},
    }
)
_ECS = frozenset({"ecs", "ec2", "iam", "logs", LOCAL_IMAGES})
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "start_here": frozenset({"sts", "sqs", "ssm"}),
        "what_docker_is": frozenset(),
        "docker_versus_vms": frozenset(),
        "getting_started_with_docker": frozenset(),
        "where_images_live": frozenset({"ecr", LOCAL_IMAGES}),
        "containers_on_aws": frozenset({"ecr", "ecs", "ec2", "iam", "ssm", LOCAL_IMAGES}),
        "ecr": frozenset({"ecr", "ecs", "ec2", "iam", "sts", LOCAL_IMAGES}),
        "ecs_launch_types": _ECS | {"autoscaling"},
        "ecs_iam_roles": _ECS | {"sqs", "ssm", "secretsmanager", "sts"},
        "ecs_load_balancing": _ECS | {"elasticloadbalancing", "ssm"},
        "ecs_data_volumes": frozenset({"ecs", "ec2", "elasticfilesystem", "iam", "ssm", LOCAL_IMAGES}),
        "ecs_cluster": _ECS | {"autoscaling"},
        "ecs_service": _ECS | {"elasticloadbalancing"},
        "ecs_auto_scaling": _ECS | {"application-autoscaling", "elasticloadbalancing", "monitoring"},
        "ecs_event_driven": _ECS | {"events", "scheduler", "sqs"},
        "ecs_clean_up": _ECS | {"elasticloadbalancing"},
        "eks": frozenset({"eks", "iam"}),
        "eks_hands_on": frozenset({"eks", "iam", "ec2", LOCAL_IMAGES}),
        "app_runner": _ECS | {"apprunner", "ecr", "elasticloadbalancing"},
        "app2container": frozenset({"ecr", LOCAL_IMAGES}),
        "exam": frozenset(),
    }
)
WORDS = {LOCAL_IMAGES: "images built on this machine (push them to ECR, and name them as ECR does)"}


def lacking(slug: str, backend: str, running: Iterable[str] = ()) -> list[str]:
    """What a chapter needs and a backend has not, in words; empty if nothing is missing.

    Args:
        slug: of the chapter.
        backend: its name.
        running: signing names that the running backend says it has, besides those of the table.
    """
    missing = NEEDS.get(slug, frozenset()) - OFFERS.get(backend, frozenset()) - frozenset(running)
    return [WORDS.get(name, name) for name in sorted(missing)]
