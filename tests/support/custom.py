"""A deployment with files of its operator's own."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from chalicelib.config import custom
from chalicelib.services import Services, services, use


def install(folder: Path, hooks: str = "", **settings: Any) -> Services:
    """Has the services of this process call these hooks from now on, none for ""."""
    file = folder / f"hooks-{uuid4().hex}.py"
    if hooks:
        file.write_text(hooks)
    svc = services()
    changed = replace(svc, settings=replace(svc.settings, hooks_file=str(file), **settings))
    use(changed)
    return changed


def with_claims(folder: Path, template: Mapping[str, Any]) -> Services:
    """Has them put these claims into tokens."""
    file = folder / f"claims-{uuid4().hex}.json"
    file.write_text(json.dumps(template))
    svc = services()
    changed = replace(svc, settings=replace(svc.settings, claims=custom.claims(str(file), svc.settings.attributes)))
    use(changed)
    return changed
