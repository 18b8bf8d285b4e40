"""moto's server, taught to take the REST API that Chalice uploads: `chalice_on_moto.py FD`.

FD is a socket that listens: a port that is only looked up beforehand may be another program's by the time that it is bound.

moto reads OpenAPI 3 only, asks for fields that Swagger 2 leaves out, and cannot read a mock integration.
"""

import socket
import sys
from functools import cache
from typing import Any

from moto.apigateway.models import APIGatewayBackend, Resource
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

import_rest_api = APIGatewayBackend.import_rest_api
put_rest_api = APIGatewayBackend.put_rest_api


def understandable(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as moto wants it."""
    document = dict(document)
    if document.pop("swagger", None):
        document["openapi"] = "3.0.1"
    document["info"] = {"description": "", **document["info"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            integration = operation.get("x-amazon-apigateway-integration", {})
            integration.setdefault("uri", "")
            integration.setdefault("httpMethod", "POST")
    return document


def importing(self: APIGatewayBackend, api_doc: dict[str, Any], fail_on_warnings: bool) -> Any:
    return import_rest_api(self, understandable(api_doc), fail_on_warnings)


def putting(
    self: APIGatewayBackend,
    function_id: str,
    api_doc: dict[str, Any],
    fail_on_warnings: bool,
    mode: str = "merge",
) -> Any:
    return put_rest_api(self, function_id, understandable(api_doc), fail_on_warnings, mode)


if __name__ == "__main__":
    APIGatewayBackend.import_rest_api = importing  # type: ignore[method-assign]
    APIGatewayBackend.put_rest_api = putting  # type: ignore[method-assign]
    # It never changes, and would be put together from all above it each time that a resource is looked for.
    Resource.get_path = cache(Resource.get_path)  # type: ignore[method-assign]
    listening = socket.socket(fileno=int(sys.argv[1]))
    app = DomainDispatcherApplication(create_backend_app)
    host, port = listening.getsockname()
    make_server(host, port, app, threaded=True, fd=listening.fileno()).serve_forever()
