"""`apprunner.yaml`: how a repository says how it is built and run. Nothing here has effects.

https://docs.aws.amazon.com/apprunner/latest/dg/config-file-ref.html
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

NAME = "apprunner.yaml"


class ConfigurationError(Exception):
    """The file cannot be used. The text says why."""


class Plan(NamedTuple):
    """How code is built and run.

    Args:
        runtime: e.g. `PYTHON_3`.
        commands: those of the build, in their order.
        build_variables: the variables that they have.
        run: port, start command, variables and secrets, as `CodeConfigurationValues` has them.
    """

    runtime: str
    commands: list[str]
    build_variables: dict[str, str]
    run: dict[str, Any]


def of_values(values: Mapping[str, Any]) -> Plan:
    """The plan of a service that has its configuration in the API."""
    build = values.get("BuildCommand")
    return Plan(values["Runtime"], [build] if build else [], {}, dict(values))


def read(text: str) -> Plan:
    """The plan in an `apprunner.yaml`.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise ConfigurationError(f"{NAME} is not YAML: {problem}") from problem
    try:
        build, run = content["build"], content["run"]
        by_step = build["commands"]
        commands = [one for step in ("pre-build", "build", "post-build") for one in by_step.get(step) or []]
        commands += run.get("pre-run") or []
        network = run.get("network") or {}
        found = {
            "StartCommand": run["command"],
            "Port": str(network.get("port") or "8080"),
            "RuntimeEnvironmentVariables": _pairs(run.get("env"), "value"),
            "RuntimeEnvironmentSecrets": _pairs(run.get("secrets"), "value-from"),
        }
        if network.get("env"):
            found["RuntimeEnvironmentVariables"][network["env"]] = found["Port"]
        return Plan(_runtime(content["runtime"]), commands, _pairs(build.get("env"), "value"), found)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ConfigurationError(f"{NAME} has not what it needs: {problem}") from problem


def _runtime(name: str) -> str:
    """`python311`, `python3` or `nodejs18` as the API writes it."""
    letters = name.rstrip("0123456789")
    return f"{letters}_{name[len(letters) :]}".upper()


def _pairs(entries: Any, value: str) -> dict[str, str]:
    return {one["name"]: str(one[value]) for one in entries or []}
