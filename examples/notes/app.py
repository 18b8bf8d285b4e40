"""Notes: an API that knows no password and no key. Latchkey's guard stands in front of every route.

What the guard found in the caller's token arrives in `requestContext.authorizer`: `sub` says whose notes they
are. Which route needs which scope is said once, in scopes.json, which is registered with Latchkey.
"""

import os
import time
import uuid
from collections import defaultdict
from typing import Any

from chalice.app import BadRequestError, Chalice, CustomAuthorizer, NotFoundError, Response

ALONE = (
    "Nobody says whose request this is: this app is made to stand behind Latchkey's guard, which `chalice local` does not ask. "
    "In Latchkey's folder, `make serve` runs the notes example behind it, and `make serve APP=<folder>` any other app."
)

app = Chalice(app_name="notes")
# Alone, as under `chalice local`, there is no guard; `middleware` says what to do.
guard = CustomAuthorizer("latchkey", authorizer_uri=os.environ.get("LATCHKEY_GUARD_URI", "no guard"))

# Gone with the process, and not shared between two. A real API has a table, with `sub` as its partition key.
notes_of: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)

ERRORS = {400: "invalid_request", 404: "not_found", 415: "unsupported_media_type"}


@app.middleware("http")
def middleware(request: Any, get_response: Any) -> Response:
    """Refuse an expired token, and give every error the shape that Latchkey's errors have."""
    if "authorizer" not in request.context:
        return _error(500, "server_error", ALONE)
    # API Gateway remembers the guard's answer for some minutes, and a token may expire meanwhile.
    if int(request.context["authorizer"]["exp"]) <= time.time():
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return _error(401, "invalid_token", "The access token has expired.", challenge)
    response: Response = get_response(request)
    if response.status_code >= 400:
        code = ERRORS.get(response.status_code, "server_error")
        return _error(response.status_code, code, response.body["Message"])
    return response


def _error(status: int, code: str, description: str, headers: Any = None) -> Response:
    return Response({"error": code, "error_description": description}, headers, status)


@app.route("/notes", methods=["GET"], authorizer=guard)
def listed() -> Any:
    """List the caller's notes, oldest first."""
    return {"notes": list(_mine().values())}


@app.route("/notes", methods=["POST"], authorizer=guard)
def write() -> Response:
    """Keep a new note of the caller's."""
    id = uuid.uuid4().hex  # noqa: A001 - as in the path
    note = _mine()[id] = {"id": id, "text": _text(), "created_at": int(time.time())}
    return Response(note, status_code=201)


@app.route("/notes/{id}", methods=["GET"], authorizer=guard)
def read(id: str) -> Any:  # noqa: A002 - as in the path
    """Return one of the caller's notes."""
    if id not in _mine():
        raise NotFoundError("You have no such note.")
    return _mine()[id]


@app.route("/notes/{id}", methods=["DELETE"], authorizer=guard)
def delete(id: str) -> Response:  # noqa: A002 - as in the path
    """Drop one of the caller's notes."""
    if _mine().pop(id, None) is None:
        raise NotFoundError("You have no such note.")
    return Response("", status_code=204)


def _mine() -> dict[str, dict[str, Any]]:
    request: Any = app.current_request
    return notes_of[request.context["authorizer"]["sub"]]


def _text() -> str:
    request: Any = app.current_request
    try:
        body = request.json_body
    except RecursionError:
        raise BadRequestError("The JSON is nested too deeply.") from None
    text = body.get("text") if isinstance(body, dict) and body.keys() == {"text"} else None
    if not isinstance(text, str) or not 1 <= len(text) <= 2000:
        raise BadRequestError('Send {"text": "..."} of at most 2000 characters.')
    return text
