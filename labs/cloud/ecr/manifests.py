"""What a manifest says of an image: its layers, its size, its kinds. Pure functions.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
"""

import hashlib
import json
import re
from typing import Any

from labs.cloud.frame.errors import AwsError

IMAGES = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
BYTES = 4_194_304  # the longest that the API takes
DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


def digest(content: bytes) -> str:
    """The digest of a manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read(content: bytes, media_type: str | None) -> dict[str, Any]:
    """A manifest, checked.

    Args:
        content: its text.
        media_type: as the request says; None if only the manifest itself does.

    Returns:
        `imageManifestMediaType`, `artifactMediaType`, `subjectManifestDigest` (these two if it has them),
        `_annotations`, `_blobs` (digest to size of the configuration and the layers, in order),
        `_layers` and `_children` (digests).

    Raises:
        AwsError: InvalidParameterException.
    """
    try:
        found = json.loads(content)
        kind = media_type or found.get("mediaType") or _guess(found)
        if found.get("mediaType", kind) != kind:
            raise _invalid(f"its mediaType is {found['mediaType']}, and the request says {kind}")
        if found.get("schemaVersion") != 2 or kind not in IMAGES + LISTS:
            raise _invalid(f"a manifest of the type '{kind}' is not supported")
        facts: dict[str, Any] = {"imageManifestMediaType": kind, "_annotations": found.get("annotations") or {}}
        if kind in LISTS:
            facts |= {"_blobs": {}, "_layers": [], "_children": [_digest(one) for one in found["manifests"]]}
        else:
            parts = [found["config"], *found["layers"]]
            facts |= {
                "_blobs": {_digest(one): int(one["size"]) for one in parts},
                "_layers": [_digest(one) for one in found["layers"]],
                "_children": [],
            }
            facts["artifactMediaType"] = found.get("artifactType") or found["config"].get("mediaType")
        if "subject" in found:
            facts["subjectManifestDigest"] = _digest(found["subject"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _invalid("it is no JSON of a manifest") from None
    return facts


def _guess(found: dict[str, Any]) -> str | None:
    if "manifests" in found:
        return LISTS[1]
    return IMAGES[1] if "layers" in found and "config" in found else None


def _digest(part: dict[str, Any]) -> str:
    if not DIGEST.fullmatch(part["digest"]):
        raise ValueError(part["digest"])
    return part["digest"]


def _invalid(reason: str) -> AwsError:
    return AwsError(
        "InvalidParameterException",
        f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax': {reason}",
    )
