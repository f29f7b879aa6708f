"""The doors to the backend's EC2 and SSM, as far as instances of ECS-optimized AMIs need more than the backend gives.

EC2 stays the backend's. The door completes RunInstances (`launching.py`), keeps the user data, which not every backend
gives back, and tells the room when an instance may have changed. SSM's door answers for the public parameters of the
AMIs.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from labs.cloud import protocol
from labs.cloud.frame import clock, http
from labs.cloud.frame.errors import AwsError
from labs.cloud.instances import images, launching
from labs.cloud.instances.state import Instances

READING = ("Describe", "Get", "Search")
SSM_TARGET = "AmazonSSM"
MOST_BY_PATH = 10
MOST_INSTANCES = 20  # "20 per Region" was EC2's own default for long
_ITEMS = re.compile(rb"<instancesSet>(.*)</instancesSet>", re.DOTALL)
_ID = re.compile(rb"<instanceId>(i-[0-9a-f]+)</instanceId>")
_ZONE = re.compile(rb"(<instanceId>(i-[0-9a-f]+)</instanceId>.*?<availabilityZone>)[^<]*", re.DOTALL)


class Ec2Door:
    """An ASGI app in front of the backend, for the signing name `ec2`.

    Args:
        room: the state.
        backend: the ASGI app of the backend.
    """

    def __init__(self, room: Instances, backend: http.App) -> None:
        self._room = room
        self._backend = backend

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """ASGI: one HTTP request."""
        incoming = http.head(scope)
        try:
            incoming = incoming._replace(body=await http.body(receive))
            given = dict(parse_qsl(incoming.body.decode(), keep_blank_values=True))
            given = {**dict(parse_qsl(incoming.query)), **given}
            action = given.get("Action", "")
            if action == "RunInstances" and incoming.method == "POST":
                answer = await self._run(scope, incoming, given)
            elif action == "DescribeInstanceAttribute" and given.get("Attribute") == "userData":
                answer = await self._user_data(scope, incoming, given)
            else:
                answer = await http.ask(self._backend, scope, incoming.body)
        except (AwsError, UnicodeDecodeError) as refusal:
            known = isinstance(refusal, AwsError)
            code, text = (refusal.code, refusal.message) if known else ("InvalidRequest", "It cannot be read.")
            answer = protocol.error("ec2", incoming.headers, 400, code, text)
        except ClientError as refusal:
            said = refusal.response["Error"]
            answer = protocol.error("ec2", incoming.headers, 400, said["Code"], said.get("Message", ""))
        else:
            if action == "DescribeInstances":
                answer = answer._replace(body=_ID.sub(self._profile, _ZONE.sub(self._zone, answer.body)))
            if not action.startswith(READING) and action != "CreateTags":
                self._room.changed.beat()
        await http.answer(send, answer)

    async def _run(self, scope: http.Scope, incoming: http.Incoming, given: dict[str, str]) -> protocol.Answer:
        region = incoming.region
        given = await launching.from_template(region, given)
        profile = await launching.profile(given)
        if given.get("ImageId") not in images.IDS:
            return (await self._launch(scope, given, profile))[0]
        subnet = await launching.subnet(region, given)
        if subnet is None or given.get("PrivateIpAddress"):
            answer, lost = await self._launch(scope, given, profile)
            self._keep(region, given, subnet, lost, answer)
            return answer._replace(body=_ID.sub(self._profile, answer.body))
        # One launch an instance, for each has an address of its own.
        least, most = int(given.get("MinCount") or 1), int(given.get("MaxCount") or 1)
        if not 1 <= least <= most:
            return await http.ask(self._backend, scope, urlencode(given).encode())
        await self._check_limit(region, most)
        answers = []
        for _ in range(most):
            address = await launching.free_address(region, subnet["CidrBlock"])
            asked = {
                **given,
                "SubnetId": subnet["SubnetId"],
                "PrivateIpAddress": address,
                "MinCount": "1",
                "MaxCount": "1",
            }
            answer, lost = await self._launch(scope, asked, profile)
            if answer.status != 200:
                if not answers:
                    return answer
                break
            self._keep(region, given, subnet, lost, answer)
            answers.append(answer)
        items = b"".join(found[1] for one in answers if (found := _ITEMS.search(one.body)))
        body = _ITEMS.sub(lambda _: b"<instancesSet>" + items + b"</instancesSet>", answers[0].body)
        return answers[0]._replace(body=_ID.sub(self._profile, _ZONE.sub(self._zone, body)))

    async def _launch(
        self, scope: http.Scope, given: dict[str, str], profile: dict[str, str] | None
    ) -> tuple[protocol.Answer, dict[str, str] | None]:
        """Launches, and returns the instance profile too where the backend's EC2 does not keep it.

        LocalStack's EC2 does not know the instance profiles of LocalStack's IAM and refuses them.
        """
        answer = await http.ask(self._backend, scope, urlencode(given).encode())
        if answer.status == 200 or profile is None or b"NoSuchEntity" not in answer.body:
            return answer, None
        rest = {key: value for key, value in given.items() if not key.startswith("IamInstanceProfile.")}
        return await http.ask(self._backend, scope, urlencode(rest).encode()), profile

    async def _check_limit(self, region: str, more: int) -> None:
        """Every instance is a container on the learner's machine, so there is a limit, as AWS has one.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        """
        alive = [one for one in await launching.instances(region) if one["State"]["Name"] != "terminated"]
        count = sum(one.get("ImageId") in images.IDS for one in alive) + more
        if count > MOST_INSTANCES:
            raise AwsError(
                "InstanceLimitExceeded",
                f"You have requested more instances ({count}) than your current instance limit of {MOST_INSTANCES} "
                "allows for the specified instance type. Terminate some first.",
            )

    def _keep(
        self,
        region: str,
        given: dict[str, str],
        subnet: dict[str, Any] | None,
        lost: dict[str, str] | None,
        answer: protocol.Answer,
    ) -> None:
        """Keeps how instances were launched, before the caller hears of them."""
        for found in _ID.findall(answer.body) if answer.status == 200 else []:
            record = {"region": region, "userData": given.get("UserData", ""), "at": clock.now()}
            if subnet:
                record["zone"] = subnet["AvailabilityZone"]
            if lost:
                record["profile"] = lost
            self._room.launches.put(found.decode(), record)
        self._room.store.flush_quietly()

    async def _user_data(self, scope: http.Scope, incoming: http.Incoming, given: dict[str, str]) -> protocol.Answer:
        answer = await http.ask(self._backend, scope, incoming.body)
        launch = self._room.launches.get(given.get("InstanceId", ""))
        if answer.status == 200 and launch and launch["userData"]:
            whole = f"<userData><value>{escape(launch['userData'])}</value></userData>"
            answer = answer._replace(body=re.sub(rb"<userData\s*/>", lambda _: whole.encode(), answer.body))
        return answer

    def _zone(self, found: re.Match[bytes]) -> bytes:
        """The zone of an instance is that of its subnet."""
        launch = self._room.launches.get(found[2].decode(), {})
        return found[1] + launch["zone"].encode() if "zone" in launch else found[0]

    def _profile(self, found: re.Match[bytes]) -> bytes:
        """The instance profile of an instance, where the backend does not keep it."""
        profile = self._room.launches.get(found[1].decode(), {}).get("profile")
        if not profile:
            return found[0]
        about = f"<arn>{escape(profile['Arn'])}</arn><id>{escape(profile['Id'])}</id>"
        return found[0] + f"<iamInstanceProfile>{about}</iamInstanceProfile>".encode()


class SsmDoor:
    """An ASGI app in front of the backend, for the signing name `ssm`: answers for the parameters of the AMIs.

    Args:
        backend: the ASGI app of the backend.
    """

    def __init__(self, backend: http.App) -> None:
        self._backend = backend
        self._values = images.parameters()

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """ASGI: one HTTP request."""
        incoming = http.head(scope)
        try:
            incoming = incoming._replace(body=await http.body(receive))
        except AwsError as refusal:
            await http.answer(send, protocol.error("ssm", incoming.headers, 413, refusal.code, refusal.message))
            return
        operation = incoming.headers.get("x-amz-target", "").rpartition(".")[2]
        answer = None
        if images.PREFIX.encode() in incoming.body:
            try:
                request = json.loads(incoming.body)
            except ValueError:
                request = {}
            if operation == "GetParameter" and request.get("Name") in self._values:
                answer = _json({"Parameter": self._parameter(incoming.region, request["Name"])})
            elif operation == "GetParameters" and isinstance(request.get("Names"), list):
                answer = await self._several(scope, incoming.region, request)
            elif operation == "GetParametersByPath" and str(request.get("Path", "")).startswith(images.PREFIX):
                answer = self._by_path(incoming.region, request)
        await http.answer(send, answer or await http.ask(self._backend, scope, incoming.body))

    async def _several(self, scope: http.Scope, region: str, request: dict[str, Any]) -> protocol.Answer:
        ours = [name for name in request["Names"] if name in self._values]
        others = [name for name in request["Names"] if name not in self._values]
        found: dict[str, Any] = {"Parameters": [], "InvalidParameters": []}
        if others:
            answer = await http.ask(self._backend, scope, json.dumps({**request, "Names": others}).encode())
            if answer.status != 200:
                return answer
            found = json.loads(answer.body)
        found["Parameters"] += [self._parameter(region, name) for name in ours]
        return _json(found)

    def _by_path(self, region: str, request: dict[str, Any]) -> protocol.Answer:
        start = request["Path"].rstrip("/") + "/"
        deep = bool(request.get("Recursive"))
        names = sorted(
            name for name in self._values if name.startswith(start) and (deep or "/" not in name.removeprefix(start))
        )
        size = min(request.get("MaxResults") or MOST_BY_PATH, MOST_BY_PATH)
        first = names.index(request["NextToken"]) if request.get("NextToken") in names else 0
        end = first + size
        more = {"NextToken": names[end]} if end < len(names) else {}
        return _json({"Parameters": [self._parameter(region, name) for name in names[first:end]], **more})

    def _parameter(self, region: str, name: str) -> dict[str, Any]:
        return {
            "Name": name,
            "Type": "String",
            "Value": self._values[name],
            "Version": 1,
            "LastModifiedDate": 1767225600.0,  # the images have never changed
            "ARN": f"arn:aws:ssm:{region}::parameter{name}",
            "DataType": "text",
        }


def _json(content: dict[str, Any]) -> protocol.Answer:
    return protocol.Answer(200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(content).encode())
