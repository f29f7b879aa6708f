"""App Runner's services from an image: they run, answer at their URL, change without a failed request, and go."""

from pathlib import Path

import pytest
from app_runner_lab import containers_of, get, last_operation, push, service, settled, status
from cloud_lab import ours


@pytest.fixture(scope="module")
def web(local_aws: Path, web_image: str) -> str:
    """The name of an image in ECR that answers on port 8080."""
    return push(web_image, "web", "1")


def test_a_service_answers_at_its_url_until_it_is_deleted(web: str) -> None:
    with service("first", web) as made:
        arn, url = made["ServiceArn"], made["ServiceUrl"]
        code, text = get(url, "/hello")
        assert (code, text.split()[1]) == (200, "/hello")
        assert text.split()[0] == containers_of(arn)[0].attrs["Config"]["Hostname"]
        assert last_operation(arn)["Type"] == "CREATE_SERVICE"
        assert last_operation(arn)["Status"] == "SUCCEEDED"
    assert status(arn) == "DELETED"
    assert settled(arn) == "DELETED"
    assert get(url)[0] == 404
    assert ours("app-runner") == ours("app-runner-instance") == []
