"""Blue/green, linear and canary deployments: the stages that a deployment goes through, and what each one waits for.

A deployment gets a plan when it begins, a list of steps `[stage, kind, value]`; `_at` says where it is. All of it is in
the deployment's record, so it goes on after a kill where it was. Hooks of a stage run at its beginning.

| kind         | the step is done when                                                                  |
|--------------|----------------------------------------------------------------------------------------|
| `hooks`      | the lifecycle hooks of the stage `value` have succeeded                                |
| `alone`      | no task of a revision that neither serves nor is to serve is left                      |
| `production` | `value` percent of the production traffic goes to the new revision (see `traffic.py`)  |
| `test`       | the same of the test traffic                                                           |
| `scaled`     | the new revision has all its tasks, healthy                                            |
| `wait`       | `value` seconds are over                                                               |
| `clean`      | no task of another revision is left                                                    |

Minutes of bake time are minutes of a lesson, see `frame/clock.py`.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/canary-deployment.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-linear.html
"""

from collections.abc import Collection
from typing import Any

from labs.cloud.ecs import deployments, hooks, traffic
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError

ROLLING = "ROLLING"
SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
_WITHOUT_NEW = ("RECONCILE_SERVICE", "PRE_SCALE_UP")  # the new revision has no task yet
RETRY_SECONDS = 2.0

Step = list[Any]


def is_under_way(service: dict[str, Any]) -> bool:
    """Whether a deployment of this service shifts traffic now."""
    rolls = service["deploymentConfiguration"].get("strategy", ROLLING) == ROLLING
    return not rolls and deployments.primary(service)["rolloutState"] == deployments.IN_PROGRESS


def require_changeable(service: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuses to roll while traffic is being shifted: nobody would bring the weights back.

    Raises:
        AwsError: InvalidParameterException.
    """
    if wanted.get("strategy") == ROLLING and is_under_way(service):
        raise AwsError(
            "InvalidParameterException",
            "The deployment strategy cannot become ROLLING while a deployment shifts traffic. Wait for it, or stop it "
            "with StopServiceDeployment.",
        )


def serving(service: dict[str, Any]) -> dict[str, Any] | None:
    """The deployment that had the traffic before the primary one; None for a first one."""
    good = service.get("_last_good", {}).get("id")
    found = (one for one in service["deployments"] if one["id"] == good and one["status"] != "PRIMARY")
    return next(found, None)


def ids_to_keep(service: dict[str, Any]) -> set[str]:
    """The deployments whose tasks are kept at the desired count now. The tasks of others are to go."""
    primary, before = deployments.primary(service), serving(service)
    stage = _step(service, primary)[0]
    kept = set() if stage in _WITHOUT_NEW else {primary["id"]}
    if primary.get("_undoes") and stage != "CLEAN_UP":
        return kept | {primary["_undoes"]}
    return kept | ({before["id"]} if before and stage != "CLEAN_UP" else set())


def advance(ecs: Ecs, service: dict[str, Any], scaled: bool, others: Collection[str]) -> float | None:
    """Goes on with the plan of the primary deployment as far as it can.

    Args:
        ecs: the state.
        service: the service's record, changed in place.
        scaled: whether the primary deployment has all its tasks, healthy.
        others: the ids of the other deployments that have tasks.

    Returns:
        Seconds until it has to be looked at again; None if news will tell.
    """
    primary = deployments.primary(service)
    while True:
        stage, kind, value = _step(service, primary)
        deployments.at_stage(ecs, primary, stage)
        done, wait = _is_done(ecs, service, primary, (stage, kind, value), scaled=scaled, others=others)
        if not done or primary["_at"] + 1 == len(primary["_plan"]):
            return wait
        primary["_at"] += 1
        primary["_since"] = clock.now()


def is_over(service: dict[str, Any]) -> bool:
    """Whether the primary deployment is at the last step of its plan."""
    primary = deployments.primary(service)
    return "_plan" in primary and primary["_at"] + 1 == len(primary["_plan"])


async def act(ecs: Ecs, service: dict[str, Any]) -> float | None:
    """Does what the present step needs of other services: sets weights, calls hooks.

    Returns:
        Seconds until it has to be tried again; None for never.
    """
    primary = deployments.primary(service)
    kind, value = _step(service, primary)[1:]
    try:
        if kind in ("production", "test") and primary.get("_traffic", {}).get(kind) != value:
            member = traffic.PRODUCTION if kind == "production" else traffic.TEST
            for own, given in zip(primary.get("_load_balancers", []), service["loadBalancers"], strict=False):
                region = arns.region(service["serviceArn"])
                await traffic.shift(ecs, region, given, member, to=own["targetGroupArn"], percent=value)
            if primary is deployments.primary(service):
                primary["_traffic"] = {**primary.get("_traffic", {}), kind: value}
                deployments.weigh(ecs, primary, kind, value)
                if kind == "production" and service["loadBalancers"]:
                    text = f"{value:g} percent of the production traffic goes to deployment {primary['id']}."
                    deployments.say(service, f"(service {service['serviceName']}) {text}")
        elif kind == "hooks" and (record := deployments.record_of(ecs, primary["id"])):
            await hooks.call(ecs, service, record)
    except AwsError as problem:
        text = f"(service {service['serviceName']}) was unable to shift traffic: {problem.message}"
        if not service["events"] or service["events"][0]["message"] != text:
            deployments.say(service, text)
        return RETRY_SECONDS
    return None


def _step(service: dict[str, Any], primary: dict[str, Any]) -> Step:
    if "_plan" not in primary:
        primary["_plan"] = _plan_back() if primary.get("_undoes") else _plan(service)
        primary["_at"], primary["_since"] = 0, clock.now()
    return primary["_plan"][primary["_at"]]


def _is_done(
    ecs: Ecs, service: dict[str, Any], primary: dict[str, Any], step: Any, *, scaled: bool, others: Collection[str]
) -> tuple[bool, float | None]:
    _, kind, value = step
    if kind == "hooks":
        record = deployments.record_of(ecs, primary["id"])
        return hooks.are_over(ecs, service, record, f"{primary['_at']}", value) if record else (True, None)
    if kind in ("production", "test"):
        return primary.get("_traffic", {}).get(kind) == value, 0.0
    if kind == "wait":
        left = primary["_since"] + value - clock.now()
        return left <= 0, left
    if kind == "scaled":
        return scaled, None
    before = serving(service)
    allowed = {before["id"]} if kind == "alone" and before else set()
    return not set(others) - allowed, None


def _plan(service: dict[str, Any]) -> list[Step]:
    configuration, before = service["deploymentConfiguration"], serving(service)
    stale = [one for one in service["deployments"][1:] if one is not before]
    plan: list[Step] = []
    if stale:
        plan += [["RECONCILE_SERVICE", "hooks", "RECONCILE_SERVICE"]]
    start = 0.0 if before else 100.0  # nobody else can have the traffic of a first revision
    plan += [
        ["RECONCILE_SERVICE" if stale else "PRE_SCALE_UP", "production", start],
        ["RECONCILE_SERVICE" if stale else "PRE_SCALE_UP", "test", start],
    ]
    if stale:
        plan += [["RECONCILE_SERVICE", "alone", None]]
    plan += [
        ["PRE_SCALE_UP", "hooks", "PRE_SCALE_UP"],
        ["SCALE_UP", "scaled", None],
        ["POST_SCALE_UP", "hooks", "POST_SCALE_UP"],
        ["TEST_TRAFFIC_SHIFT", "hooks", "TEST_TRAFFIC_SHIFT"],
        ["TEST_TRAFFIC_SHIFT", "test", 100.0],
        ["POST_TEST_TRAFFIC_SHIFT", "hooks", "POST_TEST_TRAFFIC_SHIFT"],
    ]
    shares, pause = _shares(configuration) if before else ([100.0], 0.0)
    for share in shares:
        plan += [
            [SHIFT, "hooks", "PRE_PRODUCTION_TRAFFIC_SHIFT"],
            [SHIFT, "hooks", SHIFT],
            [SHIFT, "production", share],
        ]
        if share < 100.0:
            plan += [[SHIFT, "wait", pause]]
    plan += [["POST_PRODUCTION_TRAFFIC_SHIFT", "hooks", "POST_PRODUCTION_TRAFFIC_SHIFT"]]
    if before:
        plan += [["BAKE_TIME", "wait", _minutes(configuration.get("bakeTimeInMinutes", 0))]]
    return [*plan, ["CLEAN_UP", "clean", None]]


def _plan_back() -> list[Step]:
    """The way back: the traffic at once, if the tasks are still there, then the new tasks go."""
    return [
        ["SCALE_UP", "scaled", None],
        [SHIFT, "production", 100.0],
        [SHIFT, "test", 100.0],
        ["CLEAN_UP", "clean", None],
    ]


def _shares(configuration: dict[str, Any]) -> tuple[list[float], float]:
    """The percentages that the new revision gets one after another, and the seconds between them."""
    if configuration["strategy"] == "CANARY":
        own = configuration["canaryConfiguration"]
        shares = [own["canaryPercent"], 100.0] if own["canaryPercent"] < 100.0 else [100.0]
        return shares, _minutes(own["canaryBakeTimeInMinutes"])
    if configuration["strategy"] == "LINEAR":
        own = configuration["linearConfiguration"]
        tenths, most = round(own["stepPercent"] * 10), 1000
        shares = [part / 10 for part in range(tenths, most, tenths)]
        return [*shares, 100.0], _minutes(own["stepBakeTimeInMinutes"])
    return [100.0], 0.0


def _minutes(number: float) -> float:
    return clock.lesson(number * 60.0)
