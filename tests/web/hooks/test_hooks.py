"""What comes of an operator's functions, at every endpoint that calls one, whatever they do."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.flows.platform import hooks
from chalicelib.hooks import HOOKS
from chalicelib.services import Services, services, use
from local.gateway import Answer
from tests.support.browser import App, Browser, register
from tests.support.custom import install
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Phone, refusal

CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
OTHER = {"email": "bob@example.com", "password": PASSWORD}
REFUSAL = "Not <b>today</b>, Ann"
WAITING = threading.Event()


@pytest.fixture(autouse=True)
def held() -> Iterator[None]:
    """Whoever waits in a hook is let go at the end."""
    WAITING.clear()
    yield
    WAITING.set()
    for each in hooks._unfinished:
        each.join()
    hooks._unfinished.clear()


def function(name: str, body: str) -> str:
    lines = "\n    ".join(body.splitlines())
    head = "from chalicelib.hooks import *\nfrom chalicelib.hooks import Refuse, Claims, Mail"
    return f"{head}\ndef {name}(event):\n    {lines}\n"


def writing(file: Path, text: str = "'x'") -> str:
    return f"with open({str(file)!r}, 'a') as file: file.write({text})"


REFUSING = f"raise Refuse({REFUSAL!r})"
HANGING = "from tests.web.hooks.test_hooks import WAITING\nWAITING.wait()"
# What is no answer, by what it is; each is a 503 before something is done.
FAULTS = {
    "raises": "raise ValueError(event)",
    "exits": "raise SystemExit(0)",
    "hangs": HANGING,
    "changes its argument": "event.id = 'another'",
    "answers nonsense": "return 7",
    "answers no": "return False",
    "refuses with nothing": "raise Refuse()",
    "refuses with bytes": "raise Refuse(b'no')",
    "refuses at length": "raise Refuse('no' * 101)",
    "refuses on two lines": "raise Refuse('no\\nno')",
}
BEFORE = [name for name in HOOKS if name.startswith("before_")]
AFTER = [name for name in HOOKS if name.startswith("after_") or name == "address_taken"]


def deed(phone: Phone, name: str) -> Answer:
    """What calls a hook."""
    return phone.call("POST /signup", OTHER) if "sign_up" in name else phone.call("POST /login", CREDENTIALS)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", BEFORE)
def test_a_hook_that_fails_before_something_is_a_503_with_one_line_in_the_log_and_nothing_is_done(
    phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, fault: str
) -> None:
    token = phone.sign_up()["access_token"]
    install(tmp_path, function(name, FAULTS[fault]), hook_seconds=0.1)
    capsys.readouterr()
    assert refusal(deed(phone, name)) == (503, "temporarily_unavailable")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert name in lines[0]
    assert "@" not in lines[0]
    install(tmp_path)
    assert len(phone.call("GET /me/sessions", token=token).json()["sessions"]) == 1
    assert phone.call("POST /signup", OTHER).status == 201


@pytest.mark.parametrize("fault", [*FAULTS, "refuses"])
@pytest.mark.parametrize("name", [each for each in AFTER if each in ("after_sign_up", "after_login")])
def test_no_hook_takes_back_what_is_done(
    phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, fault: str
) -> None:
    phone.sign_up()
    install(tmp_path, function(name, {**FAULTS, "refuses": REFUSING}[fault]), hook_seconds=0.1)
    capsys.readouterr()
    assert deed(phone, name).status in (200, 201)
    # The request's own line, and that of the event that it is: of a fault there would be one more.
    assert ['"event"' in line for line in capsys.readouterr().out.splitlines()] == [True, False]


@pytest.mark.parametrize("name", BEFORE)
def test_a_refusal_is_shown_in_the_operators_words_and_nothing_is_done(phone: Phone, tmp_path: Path, name: str) -> None:
    token = phone.sign_up()["access_token"]
    install(tmp_path, function(name, REFUSING))
    answer = deed(phone, name)
    assert refusal(answer) == (403, "refused")
    assert answer.json()["error_description"] == REFUSAL
    install(tmp_path)
    assert len(phone.call("GET /me/sessions", token=token).json()["sessions"]) == 1
    assert phone.call("POST /signup", OTHER).status == 201


def test_who_does_not_know_the_password_is_not_told_what_a_hook_would_say(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    install(tmp_path, function("before_login", REFUSING))
    wrong = phone.call("POST /login", {**CREDENTIALS, "password": "another one entirely"})
    assert refusal(wrong) == (401, "invalid_credentials")


def test_a_refused_login_is_no_failed_guess_and_a_refused_sign_up_counts(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    svc = install(tmp_path, function("before_login", REFUSING))
    use(replace(svc, settings=replace(svc.settings, limits={**svc.settings.limits, "password_network": (2, 900)})))
    for _ in range(4):
        assert refusal(phone.call("POST /login", CREDENTIALS)) == (403, "refused")
    svc = install(tmp_path, function("before_sign_up", REFUSING))
    use(replace(svc, settings=replace(svc.settings, limits={**svc.settings.limits, "sign_up_network": (3, 3600)})))
    answers = [phone.call("POST /signup", {**OTHER, "email": f"bob{n}@example.com"}).status for n in range(4)]
    assert answers[0] == 403
    assert answers[-1] == 429


def test_one_that_is_too_slow_is_called_once_and_may_be_allowed(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    calls = tmp_path / "calls"
    hanging = function("before_login", f"{writing(calls)}\n{HANGING}\nraise Refuse('late')")
    install(tmp_path, hanging, hook_seconds=0.1, slow_hook_refuses=False)
    assert phone.call("POST /login", CREDENTIALS).status == 200
    assert calls.read_text() == "x"


def test_those_that_hang_do_not_gather(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    install(tmp_path, function("before_login", HANGING), hook_seconds=0.05)
    before = threading.active_count()
    for _ in range(hooks.MAX_UNFINISHED + 3):
        assert refusal(phone.call("POST /login", CREDENTIALS)) == (503, "temporarily_unavailable")
    assert threading.active_count() - before <= hooks.MAX_UNFINISHED


def test_hooks_that_cannot_be_imported_here_let_nobody_through(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    install(tmp_path, "import no_such_module\n")
    assert refusal(phone.call("POST /login", CREDENTIALS)) == (503, "temporarily_unavailable")
    assert refusal(phone.call("POST /signup", OTHER)) == (503, "temporarily_unavailable")


def test_a_file_is_imported_once(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    imports = tmp_path / "imports"
    install(tmp_path, f"{writing(imports)}\n" + function("before_login", "return None"))
    phone.log_in()
    phone.log_in()
    assert imports.read_text() == "x"


def test_no_hook_is_given_a_secret(phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everything = "import gc\nprint('seen', repr(event), repr(getattr(event, 'user', None)))"
    source = "".join(function(name, everything) for name in HOOKS)
    install(tmp_path, source)
    signed_up = phone.sign_up()
    again = phone.log_in()
    refreshed = phone.refresh(again["refresh_token"])
    seen = "".join(line for line in capsys.readouterr().out.splitlines() if line.startswith("seen"))
    assert "ann@example.com" in seen
    secrets = [PASSWORD, "$argon2"]
    for tokens in (signed_up, again, refreshed):
        secrets += [tokens["access_token"], tokens["refresh_token"]]
    assert [each for each in secrets if each in seen] == []


def test_an_account_that_a_hook_has_changed_itself_is_not_logged_in(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    disabling = "from chalicelib.services import services\nservices().users.disable(event.user.uid)"
    install(tmp_path, function("before_login", disabling))
    assert refusal(phone.call("POST /login", CREDENTIALS))[0] in (401, 403, 503)


def test_nothing_is_loaded_and_no_call_is_made_where_there_is_no_file(phone: Phone) -> None:
    assert not Path(services().settings.hooks_file).exists()
    phone.sign_up()
    assert hooks._of_this_container(services().settings.hooks_file) == {}


# -- at the other endpoints


def test_a_refused_login_on_a_page_is_a_page_that_says_so_and_is_no_html_of_the_hooks(
    app: App, browser: Browser, tmp_path: Path
) -> None:
    install(tmp_path, function("before_login", REFUSING))
    page = browser.submit(browser.authorize(app), "/authorize/login", **CREDENTIALS)
    assert page.status == 403
    assert "Not &lt;b&gt;today&lt;/b&gt;, Ann" in page.body.decode()
    assert not any("session" in name for name in browser.cookies), browser.cookies


def test_a_refused_sign_up_on_a_page_is_such_a_page(phone: Phone, app: App, tmp_path: Path) -> None:
    browser = Browser(phone)
    install(tmp_path, function("before_sign_up", REFUSING))
    page = browser.submit(browser.sign_up_page(browser.authorize(app)), "/authorize/signup", **OTHER)
    assert page.status == 403
    assert "Not &lt;b&gt;today&lt;/b&gt;, Ann" in page.body.decode()


def test_oauths_token_endpoint_says_access_denied_and_the_code_is_not_used_up(
    app: App, browser: Browser, tmp_path: Path
) -> None:
    code = browser.code(app)
    install(tmp_path, function("before_token", REFUSING))
    answer = app.redeem(code)
    assert (answer.status, answer.json()) == (400, {"error": "access_denied", "error_description": REFUSAL})
    install(tmp_path, function("before_token", "raise Refuse('لا')"))
    answer = app.redeem(code)
    assert answer.json()["error_description"].isascii()
    install(tmp_path)
    assert app.redeem(code).status == 200


def test_a_first_party_app_is_told_access_denied(svc: Services, phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    app = register(svc, phone, "native", first_party=True)
    install(tmp_path, function("before_login", REFUSING))
    answer = app.post("/oauth/authorize-challenge", {**app.request(), **CREDENTIALS})
    assert (answer.status, answer.json()["error"]) == (400, "access_denied")


def test_a_refresh_token_is_not_spent_by_a_refusal(phone: Phone, tmp_path: Path) -> None:
    tokens = phone.sign_up()
    install(tmp_path, function("before_token", REFUSING))
    answer = phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})
    assert refusal(answer) == (403, "refused")
    install(tmp_path)
    phone.refresh(tokens["refresh_token"])


def test_each_deed_calls_its_hook_once_and_with_an_id_of_its_own(
    phone: Phone, app: App, browser: Browser, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    install(tmp_path, "".join(function(name, writing(calls, f"'{name} ' + event.id + '\\n'")) for name in HOOKS))

    def made() -> list[str]:
        lines = calls.read_text().splitlines() if calls.exists() else []
        assert len({line.split()[1] for line in lines}) == len(lines)
        calls.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    phone.call("POST /signup", OTHER)
    assert sorted(made()) == ["after_sign_up", "before_login", "before_sign_up", "before_token"]
    tokens = phone.log_in()
    assert made() == ["before_login", "before_token", "after_login"]
    phone.refresh(tokens["refresh_token"])
    assert made() == ["before_token"]
    code = browser.code(app)
    assert made() == ["before_login", "after_login"]
    app.redeem(code)
    assert made() == ["before_token"]


# -- claims of a hook


def test_a_hook_adds_claims_to_both_tokens(app: App, browser: Browser, tmp_path: Path) -> None:
    install(tmp_path, function("before_token", "return Claims(access_token={'tier': 3}, id_token={'motto': 'ää'})"))
    tokens = app.redeem(browser.code(app)).json()
    assert peek(tokens["access_token"])[1]["tier"] == 3
    assert peek(tokens["id_token"])[1]["motto"] == "ää"
    assert "motto" not in peek(tokens["access_token"])[1]


REGISTERED = (
    "iss sub aud exp nbf iat jti scope cnf client_id sid auth_time nonce acr amr azp at_hash typ act roles email"
)
NO_CLAIMS: dict[str, Any] = {
    **{name: f"Claims(access_token={{{name!r}: 'x'}})" for name in REGISTERED.split()},
    "in the id token": "Claims(id_token={'sub': 'x'})",
    "a name that is no text": "Claims(access_token={7: 'x'})",
    "a disguised name": "Claims(access_token={type('S', (str,), {'__hash__': lambda _: 7})('sub'): 1})",
    "no JSON": "Claims(access_token={'x': object()})",
    "no number": "Claims(access_token={'x': float('nan')})",
    "endless": "(lambda x: (x.append(x), Claims(access_token={'x': x}))[1])([])",
    "too much": "Claims(access_token={'x': 'x' * 1020})",
    "a dict": "{'x': 1}",
    "no dicts": "Claims(access_token=[('x', 1)])",
}


@pytest.mark.parametrize("answer", NO_CLAIMS.values(), ids=NO_CLAIMS.keys())
def test_no_hook_sets_a_claim_that_is_not_its_own(phone: Phone, tmp_path: Path, answer: str) -> None:
    phone.sign_up()
    install(tmp_path, function("before_token", f"return {answer}"))
    assert refusal(phone.call("POST /login", CREDENTIALS)) == (503, "temporarily_unavailable")
