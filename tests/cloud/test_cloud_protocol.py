"""What the gateway knows of AWS protocols without loading models agrees with the models."""

import gzip
import re
from pathlib import Path

import botocore

from labs.cloud import protocol


def _metadata() -> dict[str, tuple[str, str]]:
    """For each of botocore's services: its signing name and protocol, read from the head of its newest model."""
    found = {}
    for folder in (Path(botocore.__file__).parent / "data").iterdir():
        for model in sorted(folder.glob("*/service-2.json.gz"))[-1:]:
            with gzip.open(model, "rt", encoding="utf-8") as file:
                text = file.read()
            head = text[text.index('"metadata"') :][:3000]
            field = dict(re.findall(r'"(endpointPrefix|signingName|protocol)":\s*"([^"]+)"', head))
            found[folder.name] = (field.get("signingName", field["endpointPrefix"]), field["protocol"])
    return found


def test_rest_xml_services() -> None:
    metadata = _metadata()
    assert len(metadata) > 300
    assert {name for name, kind in metadata.values() if kind == "rest-xml"} <= protocol.REST_XML


def test_signing_name() -> None:
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20261122/us-east-1/ecs/aws4_request, Signature=0"}
    assert protocol.signing_name(signed, "") == "ecs"
    assert protocol.signing_name({}, "X-Amz-Credential=k%2F20261122%2Fus-east-1%2Fs3%2Faws4_request&a=b") == "s3"
    assert protocol.signing_name({}, "X-Amz-Credential=nonsense") is None
    assert protocol.signing_name({"authorization": "Basic abc"}, "a=b") is None
