"""The operator's own functions: loaded once a container, called once a deed, and what comes of each way that they can end."""

import re
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...domain.errors import Refused, TemporarilyUnavailable
from ...services import Services
from . import audit, notes
from .ids import new_id

if TYPE_CHECKING:
    from types import ModuleType

    from ... import hooks
    from ...domain.accounts.model import User

MODULE = "latchkey_hooks"
MAX_TEXT = 200
NOT_ONE_LINE = re.compile(r"[\u0000-\u001f\u007f-\u009f\u2028\u2029]")
MAX_UNFINISHED = 8  # calls that did not come back in time and may never do; no further one is made meanwhile
_unfinished: list[threading.Thread] = []


class WrongHooks(Exception):
    """A file of hooks that cannot be used; the message says why."""


class HookFailed(Exception):
    """A hook that gave no answer of use; the message is for the log, and has nothing that a caller sent."""


def load(file: str) -> Mapping[str, Callable[[Any], Any]]:
    """The hooks of a file by their names, none where there is no file; raises WrongHooks."""
    from pathlib import Path

    if not Path(file).is_file():
        return {}
    from ...hooks import HOOKS

    module = _import(file)
    functions = {
        name: each
        for name, each in vars(module).items()
        if not name.startswith("_") and callable(each) and getattr(each, "__module__", "") == MODULE
    }
    functions = {name: each for name, each in functions.items() if not isinstance(each, type)}
    functions |= {name: getattr(module, name) for name in HOOKS if hasattr(module, name)}
    if unknown := sorted(functions.keys() - HOOKS.keys()):
        known = ", ".join(HOOKS)
        raise WrongHooks(f"{unknown[0]} is no hook: there are {known}. What is none begins with an underscore")
    if not functions:
        raise WrongHooks(f"it has no hook: there are {', '.join(HOOKS)}")
    for name, each in functions.items():
        _check(name, each)
    return functions


def _import(file: str) -> "ModuleType":
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    # A package, so that it can be split into files beside it: `from .pricing import plan_of`.
    folder = file.rpartition("/")[0]
    spec = spec_from_file_location(MODULE, file, submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise WrongHooks("it is no Python")
    module = module_from_spec(spec)
    for name in [each for each in sys.modules if each.partition(".")[0] == MODULE]:
        del sys.modules[name]
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # SystemExit too
        sys.modules.pop(MODULE, None)
        raise WrongHooks(f"it cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _check(name: str, function: Any) -> None:
    import inspect

    if not callable(function) or inspect.iscoroutinefunction(function):
        raise WrongHooks(f"{name} is no plain function")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise WrongHooks(f"{name} must take one argument") from None


@lru_cache(maxsize=4)
def _of_this_container(file: str) -> Mapping[str, Callable[[Any], Any]] | str:
    try:
        return load(file)
    except WrongHooks as error:
        # Deploying refuses such a file, so it is one that is wrong here alone: without what it imports, perhaps.
        audit.report("hooks_unusable", reason=str(error))
        return "hooks cannot be used"


def before(svc: Services, name: str, event: Callable[[str], Any], *, uid: str = "") -> Any:
    """What a hook says before something is done, None for nothing; `event` makes its argument of an id.

    Raises Refused, or TemporarilyUnavailable where it failed, or came to no end in time and that is not to be allowed.
    """
    hooks = _of_this_container(svc.settings.hooks_file)
    if isinstance(hooks, str):
        raise TemporarilyUnavailable(reason=hooks, uid=uid)
    if name not in hooks:
        return None
    from ...hooks import Refuse

    try:
        return _call(svc, name, hooks[name], event(new_id()))
    except Refuse as refusal:
        raise Refused(_text(name, refusal, uid), reason=f"hook {name}", uid=uid) from None
    except TimeoutError:
        notes.note(f"hook {name}: too slow")
        if svc.settings.slow_hook_refuses:
            raise TemporarilyUnavailable(reason=f"hook {name}: too slow", uid=uid) from None
        return None
    except HookFailed as failure:
        raise TemporarilyUnavailable(reason=str(failure), uid=uid) from None


def check(svc: Services, name: str, event: Callable[[str], Any], *, uid: str = "") -> None:
    """The same of a hook that has nothing to say but a refusal: whatever else it answers is a fault of its own."""
    if before(svc, name, event, uid=uid) is not None:
        raise TemporarilyUnavailable(reason=f"hook {name}: answers something", uid=uid)


def after(svc: Services, name: str, event: Callable[[str], Any]) -> Any:
    """What a hook says of what was done, None for nothing: nothing that it does changes what its caller is told."""
    hooks = _of_this_container(svc.settings.hooks_file)
    if isinstance(hooks, str) or name not in hooks:
        return None
    from ...hooks import Refuse

    try:
        return _call(svc, name, hooks[name], event(new_id()))
    except TimeoutError:
        notes.note(f"hook {name}: too slow")
    except Refuse:
        notes.note(f"hook {name}: refuses what is done")
    except HookFailed as failure:
        notes.note(str(failure))
    return None


def _call(svc: Services, name: str, function: Callable[[Any], Any], event: Any) -> Any:
    """What a hook returns; raises Refuse, HookFailed, TimeoutError. It is called once, and a late answer is nobody's."""
    from ...hooks import Refuse

    answers: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(function(event))
        except BaseException as error:
            errors.append(error)

    _unfinished[:] = [each for each in _unfinished if each.is_alive()]
    if len(_unfinished) >= MAX_UNFINISHED:
        raise TimeoutError
    thread = threading.Thread(target=work, name=f"hook {name}", daemon=True)
    thread.start()
    thread.join(svc.settings.hook_seconds)
    if errors:
        if isinstance(errors[0], Refuse):
            raise errors[0]
        raise HookFailed(f"hook {name}: {type(errors[0]).__name__}{_line(errors[0])}")
    if not answers:
        _unfinished.append(thread)
        raise TimeoutError
    return answers[0]


def _line(error: BaseException) -> str:
    """Where a hook has failed; what the error says besides may quote who is logged in."""
    traceback, line = error.__traceback__, 0
    while traceback:
        if traceback.tb_frame.f_globals.get("__name__") == MODULE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f", line {line}" if line else ""


def _text(name: str, refusal: "hooks.Refuse", uid: str) -> str:
    text = refusal.args[0] if len(refusal.args) == 1 else None
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT or NOT_ONE_LINE.search(text):
        raise TemporarilyUnavailable(reason=f"hook {name}: refuses without one line of text", uid=uid)
    return text


def as_user(user: "User") -> "hooks.User":
    """An account as hooks get it."""
    from types import MappingProxyType

    from ... import hooks

    return hooks.User(
        uid=user.uid,
        email=user.email,
        email_verified=user.email_verified,
        name=user.name,
        guest=user.guest,
        created_at=user.created_at,
        roles=tuple(user.roles),
        claims=MappingProxyType(dict(user.claims)),
        attributes=MappingProxyType({name: _frozen(value) for name, value in user.attributes.items()}),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
