"""A Chalice app as Lambda runs it: in a process of its own, under the Python and beside the packages that it was made for.

`python local/function.py <folder> <descriptor>` writes one line of JSON that describes the app's routes into the
descriptor, then reads an event a line from stdin and writes its answer a line. It ends with its stdin.

It imports nothing of the project's, whose names the app may use for its own, and runs under Pythons older than ours.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, ChaliceAuthorizer, CustomAuthorizer
from chalice.local import LambdaContext

LAMBDA_MILLISECONDS = 29_000

Say = Callable[[dict[str, Any]], None]


class _PerThread:
    """Chalice keeps the request on the app, which does for Lambda; here every thread has its own."""

    @property
    def current_request(self) -> Any:
        return getattr(self.__dict__["_per_thread"], "request", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        self.__dict__["_per_thread"].request = request

    @property
    def lambda_context(self) -> Any:
        return getattr(self.__dict__["_per_thread"], "context", None)

    @lambda_context.setter
    def lambda_context(self, context: Any) -> None:
        self.__dict__["_per_thread"].context = context


def per_thread(app: Chalice) -> Chalice:
    """Let an app be called from many threads at once."""
    if not isinstance(app, _PerThread):
        app.__dict__["_per_thread"] = threading.local()
        app.__class__ = type("PerThread", (_PerThread, type(app)), {})
    return app


def _entries(app: Chalice) -> list[tuple[str, str, Any]]:
    return [(path, method, entry) for path, methods in app.routes.items() for method, entry in methods.items()]


def _described(app: Chalice) -> dict[str, Any]:
    routes = [
        {
            "path": path,
            "method": method,
            "authorizer": _authorizer(entry.authorizer),
            "cors": entry.cors.get_access_control_headers() if entry.cors else None,
            "api_key": entry.api_key_required,
        }
        for path, method, entry in _entries(app)
    ]
    return {"name": app.app_name, "binary_types": list(app.api.binary_types), "routes": routes}


def _authorizer(declared: Any) -> dict[str, Any] | None:
    if isinstance(declared, ChaliceAuthorizer):
        config = declared.config
        return {"kind": "own", "name": declared.name, "ttl": config.ttl_seconds, "header": config.header}
    if isinstance(declared, CustomAuthorizer):
        described = declared.to_swagger()
        ttl = described["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"]
        return {"kind": "custom", "name": declared.name, "ttl": ttl, "header": described["name"]}
    return None if declared is None else {"kind": type(declared).__name__, "name": declared.name}


def _functions(app: Chalice) -> dict[str, Callable[[Any, Any], Any]]:
    """Return what can be called: the app itself, by an empty name, and its own authorizers."""
    declared = [entry.authorizer for _, _, entry in _entries(app)]
    return {"": app, **{each.name: each for each in declared if isinstance(each, ChaliceAuthorizer)}}


def _answer(function: Callable[[Any, Any], Any], request: dict[str, Any], name: str, say: Say) -> None:
    try:
        reply = {"answer": function(request["event"], LambdaContext(name, 1024, LAMBDA_MILLISECONDS))}
        json.dumps(reply)
    except Exception as error:
        if str(error) != "Unauthorized":  # an authorizer's way to say no
            traceback.print_exc()
        reply = {"error": str(error)}
    say({"id": request["id"], **reply})


def main(folder: str, descriptor: str) -> None:
    """Serve the app of a folder until nobody asks any more."""
    sys.path[0] = folder  # in the place of this file's own
    app: Chalice = per_thread(importlib.import_module("app").app)
    one_at_a_time = threading.Lock()

    with os.fdopen(int(descriptor), "w") as answers:

        def say(message: dict[str, Any]) -> None:
            with one_at_a_time:
                print(json.dumps(message), file=answers, flush=True)

        say(_described(app))
        functions = _functions(app)
        for line in sys.stdin:
            request = json.loads(line)
            function = functions[request["function"]]
            threading.Thread(target=_answer, args=(function, request, app.app_name, say), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
