"""Chooses the backend of the local AWS: `start --backend`. A real account only in so many words, and typed."""

import os
import sys
from typing import Any

from labs import settings
from labs.cloud import server
from labs.machine import console, files

BACKENDS = ("embedded", "localstack", "aws")


def choose(
    backend: str,
    *,
    url: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    account: str | None = None,
) -> None:
    """Remembers a backend for this data folder; a local AWS that runs on another one is stopped.

    Args:
        backend: of `BACKENDS`.
        url: of a running LocalStack.
        profile: of the learner's AWS configuration, for `aws`.
        region: for `aws`; the profile's own if left out.
        account: 12 digits, in place of typing them, for `aws`.

    Raises:
        Trouble: it cannot be had, or was not agreed to.
    """
    _refuse_others(
        backend, localstack={"--url": url}, aws={"--profile": profile, "--region": region, "--account": account}
    )
    forced = os.environ.get("COURSE_BACKEND")
    if forced and forced != backend:
        raise console.Trouble(
            f"COURSE_BACKEND is {forced}, and --backend says {backend}. Unset the one or leave the other."
        )
    if backend == "aws":
        choice = _agree(profile, region, account)
    elif backend == "localstack":
        choice = _localstack(url)
    else:
        choice = {"backend": backend}
    before = settings.chosen_backend()
    if choice != before:
        if before.get("backend") == "aws":
            console.say(
                f"What the course made in the real account {before.get('account')} and was not cleaned up is still "
                "there and costs. To remove it, choose that account again and run `python3 -m labs clean_up`."
            )
        server.stop()
        files.write_atomic(settings.chosen_backend_file(), _json(choice))


def _refuse_others(backend: str, **options: dict[str, str | None]) -> None:
    for owner, given in options.items():
        for name, value in given.items():
            if value is not None and owner != backend:
                raise console.Trouble(f"{name} belongs to `--backend {owner}`.")


def _localstack(url: str | None) -> dict[str, Any]:
    from labs.cloud.backends import localstack
    from labs.cloud.backends.errors import BackendUnavailableError

    if url is None:
        return {"backend": "localstack"}
    try:
        address = localstack.read_url(url)
    except BackendUnavailableError as problem:
        raise console.Trouble(str(problem)) from None
    if localstack.health(address) is None:
        raise console.Trouble(f"No LocalStack answers at {address.geturl()}{localstack.HEALTH}. Start it first.")
    return {"backend": "localstack", "url": address.geturl()}


def _agree(profile: str | None, region: str | None, account: str | None) -> dict[str, Any]:
    """Shows what a real account means, and asks."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    from labs.cloud import environment, guard
    from labs.cloud.backends.aws import agreement, backend, costs, tags
    from labs.cloud.backends.aws.signing import Signer
    from labs.cloud.backends.errors import BackendUnavailableError

    if os.environ.get("AWS_ACCESS_KEY_ID", "").startswith(environment.THROW_AWAY_KEY):
        raise console.Trouble(
            "In this terminal the course has put your own AWS access away. Run the same in a terminal of your own."
        )
    try:
        session = Session(profile=profile)
        profile = profile or os.environ.get("AWS_PROFILE")
        region = region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    except BotoCoreError as problem:
        raise console.Trouble(f"Your AWS configuration cannot be read: {problem}") from None
    if not region:
        raise console.Trouble("Your AWS configuration names no region. Say which: `--region us-east-1`.")
    wanted = agreement.Agreement("", region, profile, agreement.files_of(os.environ))
    console.say(f"A REAL AWS ACCOUNT. What the chapters make there costs money until it is removed.\nRegion   {region}")
    try:
        if not agreement.stand_in():
            guard.allow_real_aws()  # `--backend aws` was typed
        who = backend.identity(Signer(wanted))
    except (BackendUnavailableError, BotoCoreError) as problem:
        raise console.Trouble(str(problem)) from None
    marks = ", ".join(f"{key}={value}" for key, value in tags.ours().items())
    lines = [
        f"Account  {who['Account']}",
        f"As       {who['Arn']}",
        f"Profile  {profile or 'what the SDKs find by themselves'}",
        f"Tags     {marks} on everything that is made; what cannot be tagged is not made",
        "Cost",
        *costs.as_text(region),
        "",
        "`python3 -m labs clean_up` removes what is tagged and proves that nothing is left. `stop` does not.",
    ]
    console.say("\n".join(lines))
    typed = account if account is not None else _ask(who["Account"])
    if typed != who["Account"]:
        raise console.Trouble(
            f"Not agreed: {typed or 'nothing'!r} is not {who['Account']}. Nothing was made; the backend is as it was."
        )
    agreed = wanted._replace(account=who["Account"], key=agreement.new_key())
    before = settings.chosen_backend()
    same = agreed.as_choice() == {**before, "key": agreed.key}
    return before if same else agreed.as_choice()  # open notebooks know the key that was


def _ask(account: str) -> str:
    if not sys.stdin.isatty():
        raise console.Trouble(
            f"Not agreed: nobody is there to type the account's number. Say it by the option --account {account} "
            "Nothing was made; the backend is as it was."
        )
    try:
        return input("To go on, type the 12 digits of the account: ").strip()
    except EOFError:
        return ""


def _json(choice: dict[str, Any]) -> str:
    import json

    return json.dumps(choice, indent=1) + "\n"
