"""The archive storage class: an archived image cannot be pulled until it is restored.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html
"""

import asyncio
from typing import Any

from labs.cloud.ecr import images
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

RESTORE_SECONDS = clock.lesson(20 * 60)  # AWS: within 20 minutes


def update_image_storage_class(ecr: Ecr, request: Request) -> dict[str, Any]:
    """UpdateImageStorageClass."""
    repository = ecr.repository(request, request.region)
    image = images.require(ecr, repository, request["imageId"])
    status, target = image.get("imageStatus", "ACTIVE"), request["targetStorageClass"]
    if (target == "ARCHIVE") != (status == "ACTIVE") or status == "ACTIVATING":
        raise AwsError(
            "ImageStorageClassUpdateNotSupportedException",
            f"The image is {status}, so it cannot be moved to the storage class {target}.",
        )
    now = clock.now()
    if target == "ARCHIVE":
        changed = {**image, "imageStatus": "ARCHIVED", "lastArchivedAt": now}
    else:
        changed = {**image, "imageStatus": "ACTIVATING", "_restored": now + RESTORE_SECONDS}
    ecr.keep(changed)
    return {**changed, "imageId": images.identifiers(image)[0], "imageStatus": changed["imageStatus"]}


async def run(ecr: Ecr) -> None:
    """Makes images that are being restored active when their time has come."""
    while True:
        now = clock.now()
        for image in list(ecr.images.values()):
            if image.get("imageStatus") == "ACTIVATING" and image["_restored"] <= now:
                ecr.keep({**image, "imageStatus": "ACTIVE", "lastActivatedAt": now})
        ecr.store.flush_quietly()
        await asyncio.sleep(1.0)


OPERATIONS = {"UpdateImageStorageClass": update_image_storage_class}
