"""What Chalice remembers of a stage that it has deployed."""

import json
from pathlib import Path

from deploy.stages import PROJECT, Stage

# Stands in the functions between the first deployment, which shows the API's URL, and the second.
UNKNOWN_ISSUER = "https://issuer.invalid"


def deployed_api(stage: Stage, *, project: Path = PROJECT) -> dict[str, str] | None:
    """Return what .chalice/deployed/<stage>.json remembers of the REST API."""
    state = project / ".chalice" / "deployed" / f"{stage.name}.json"
    if not state.exists():
        return None
    remembered = json.loads(state.read_text())["resources"]
    return next((r for r in remembered if r["resource_type"] == "rest_api"), None)


def issuer_of(stage: Stage) -> str | None:
    """Return the issuer: as configured, or the URL that API Gateway gave; None before that is known."""
    configured = stage.environment().get("LATCHKEY_ISSUER")
    if configured:
        return configured
    api = deployed_api(stage)
    return api["rest_api_url"].rstrip("/") if api else None
