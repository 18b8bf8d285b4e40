"""Whether what apps and other websites look for lies at the root of the issuer's host, where this API may not be."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chalicelib.config import Settings, load
from chalicelib.domain.authentication import associations
from deploy import smoke


def expected(settings: Settings) -> dict[str, Any]:
    """Return the documents that have to lie there, by their addresses."""
    documents = associations.documents(
        apple_apps=settings.apple_apps, android_apps=settings.android_apps, origins=settings.passkey_origins
    )
    place = urlsplit(settings.issuer)
    return {f"{place.scheme}://{place.netloc}{path}": document for path, document in documents.items()}


def report(environment: Mapping[str, str]) -> None:
    """Print what is wrong with the files at the root of the host, for a deployment with these variables."""
    for problem in problems(load(environment)):
        print(f"Apps or other websites cannot use the passkeys: {problem}")


def problems(settings: Settings) -> list[str]:
    """Return what is missing or otherwise there than it has to be, with the text that has to be there."""
    return [
        f"{address} {problem}. It has to answer 200 with application/json, without a redirect, and with\n"
        f"{json.dumps(document, indent=2)}"
        for address, document in expected(settings).items()
        if (problem := _problem(address, document))
    ]


def _problem(address: str, document: Any) -> str | None:
    try:
        answer = smoke.get(address, redirects=False)
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"
    if answer.status != 200:
        return f"answers {answer.status}"
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if media_type != "application/json":
        return f"has the type {media_type or 'of nothing'}"
    return None if answer.body == document else "has something else"
