"""A service of ours: an ASGI app made of botocore's model of it and one function for each operation."""

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from labs import settings
from labs.cloud.frame import http, validation, wire
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import StateNotSavedError, Store

log = logging.getLogger(__name__)


class Request(dict[str, Any]):
    """An operation's input, and the region it was sent to."""

    def __init__(self, parameters: Mapping[str, Any], region: str = settings.REGION) -> None:
        super().__init__(parameters)
        self.region = region


Operation = Callable[[Any, Request], "dict[str, Any] | Awaitable[dict[str, Any] | None] | None"]


class Service:
    """One service.

    Args:
        name: botocore's name of it, e.g. `ecs`.
        context: given to every operation as its first argument: the service's own state and helpers.
        operations: by AWS's name; what is missing is answered with 501.
        store: saved after each operation, before its answer is sent.
        invalid: the error code for an input that breaks the model's constraints.
        wider: names of strings in the model that are checked by their operations and not by the model's pattern, for
            on this machine they can have another form.
    """

    def __init__(
        self,
        name: str,
        context: Any,
        operations: Mapping[str, Operation],
        store: Store,
        *,
        invalid: str,
        wider: Iterable[str] = (),
    ) -> None:
        description = Loader().load_service_model(name, "service-2")
        for string in wider:
            description["shapes"][string].pop("pattern")
        self.model = ServiceModel(description, service_name=name)
        self._wire = wire.for_model(self.model)
        self._context = context
        self._operations = operations
        self._store = store
        self._invalid = invalid
        if unknown := set(operations) - set(self.model.operation_names):
            raise ValueError(f"botocore's model of {name} has no {', '.join(sorted(unknown))}")

    async def call(
        self, operation: str, parameters: Mapping[str, Any], region: str = settings.REGION
    ) -> dict[str, Any]:
        """An operation, checked and saved like a request from outside.

        Raises:
            AwsError: as AWS refuses it; nothing has changed.
        """
        model = self._model_of(operation)
        if model.input_shape and (problem := validation.wrong_type(dict(parameters), model.input_shape)):
            raise AwsError("SerializationException", problem)
        return await self._perform(model, Request(parameters, region))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Callable, send: Callable) -> None:
        """ASGI: one HTTP request."""
        request_id = str(uuid.uuid4())
        try:
            incoming = http.head(scope)._replace(body=await http.body(receive))
            model = self._model_of(self._wire.operation(incoming))
            parameters = self._wire.read(model, incoming)
            output = await self._perform(model, Request(parameters, incoming.region))
            answer = self._wire.write(model, output, request_id)
        except AwsError as refusal:
            answer = self._wire.write_error(refusal, self._status(refusal), request_id)
        except StateNotSavedError as problem:
            log.warning("%s", problem)
            answer = self._wire.write_error(AwsError("ServerException", str(problem)), 500, request_id)
        except Exception:
            log.exception("a request to %s failed", self.model.service_name)
            broken = AwsError("ServerException", "The local AWS failed in this call. Its log says where.")
            answer = self._wire.write_error(broken, 500, request_id)
        await http.answer(send, answer)

    def _model_of(self, operation: str) -> OperationModel:
        if operation not in self.model.operation_names:
            raise AwsError(self._wire.unknown_operation, f"The action '{operation}' is not valid for this web service.")
        if operation not in self._operations:
            raise AwsError(
                "NotImplemented", f"The local AWS of this course has no {operation}. Nothing was sent to AWS.", 501
            )
        return self.model.operation_model(operation)

    async def _perform(self, model: OperationModel, request: Request) -> dict[str, Any]:
        if model.input_shape and (found := validation.violations(request, model.input_shape)):
            raise AwsError(self._invalid, validation.message(found))
        output = self._operations[model.name](self._context, request)
        if inspect.isawaitable(output):
            output = await output
        self._store.flush()
        return output or {}

    def _status(self, refusal: AwsError) -> int:
        """The HTTP status of an error, from the model if it knows it."""
        for shape in self.model.error_shapes:
            details = shape.metadata.get("error", {})
            if refusal.code in (shape.name, details.get("code")):
                return details.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
        return refusal.status


class Services:
    """The services of ours by signing name, so that one can call another's public operations."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}

    def add(self, signing_name: str, service: Service) -> None:
        """Makes a service known to the others."""
        self._services[signing_name] = service

    def __contains__(self, signing_name: str) -> bool:
        return signing_name in self._services

    async def call(
        self, signing_name: str, operation: str, region: str = settings.REGION, **parameters: Any
    ) -> dict[str, Any]:
        """An operation of a service of ours, e.g. `call("elasticloadbalancing", "RegisterTargets", ...)`.

        Raises:
            AwsError: as AWS refuses it.
        """
        return await self._services[signing_name].call(operation, parameters, region)
