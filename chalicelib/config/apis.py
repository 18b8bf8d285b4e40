"""The APIs that are registered; their list ships with the code."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# Not pathlib, which nothing else that the guard imports needs: 3 % of its start.
PACKAGE = __file__.rpartition("/config/")[0]
# Below the issuer: what this API is as a protected resource (RFC 9728). A registered API's is below that, by its name.
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"


@lru_cache(maxsize=4)
def registered_apis(file: str) -> Mapping[str, Any]:
    """The registered APIs by their ids; the list ships with the code, so it is read once."""
    return read_json(file)


def read_json(file: str) -> dict[str, Any]:
    """A JSON object that ships with the code; an empty one where there is no file."""
    import json

    try:
        with open(file, encoding="utf-8") as stream:  # noqa: PTH123 - see above
            content: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return {}
    return content


def apis_file(environ: Mapping[str, str]) -> str:
    """Where the list is."""
    return environ.get("LATCHKEY_APIS_FILE") or f"{PACKAGE}/apis.json"


def scopes_of_api(api: Mapping[str, Any]) -> tuple[str, ...]:
    """What its routes need, and what its handlers ask for besides."""
    return (*" ".join(api["scopes"].values()).split(), *api.get("step_up_scopes", ()))
