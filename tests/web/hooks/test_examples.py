"""The examples of docs/hooks.md, as they are in the document, do what they say."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import load
from chalicelib.flows.platform import hooks
from chalicelib.hooks import HOOKS
from chalicelib.services import services, use
from tests.support import ses
from tests.support.custom import install
from tests.support.delivery import deliver
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Phone, refusal
from tests.support.ses import Ses

DOCUMENT = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text()
EXAMPLES = dict(re.findall(r"^### \d+\. (.+?)\n.*?^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
OFFICE, HOME = "203.0.113.8", "198.51.100.7"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> object:
    """Everybody's."""
    with ses.running(monkeypatch) as running:
        yield running


@pytest.fixture(autouse=True)
def attributes(phone: Phone) -> None:  # noqa: ARG001 - its services
    declared = load(
        {"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_ATTRIBUTES": "plan:string:person left:boolean:person"}
    )
    svc = services()
    use(
        replace(
            svc, settings=replace(svc.settings, attributes=declared.attributes, guests=True, mail_from="a@id.example")
        )
    )


def said(phone: Phone, line: str, body: object, **headers: str) -> str:
    answer = phone.call(line, body, headers=headers)
    assert refusal(answer) == (403, "refused"), answer.body
    text: str = answer.json()["error_description"]
    return text


def colleagues(phone: Phone, _: Path) -> None:
    stranger = {"email": "eve@example.net", "password": PASSWORD}
    assert said(phone, "POST /signup", stranger) == "This is for people of Example. Use your address there."
    phone.sign_up()


def one_network(phone: Phone, _: Path) -> None:
    assert said(phone, "POST /signup", CREDENTIALS) == "Nobody can sign up from this network."
    phone.address = OFFICE
    phone.sign_up()


def administrators(phone: Phone, _: Path) -> None:
    phone.sign_up()
    phone.log_in()
    uid = services().users.find(EMAIL)
    assert uid
    services().users.set_roles(uid, roles=("admin",))
    assert said(phone, "POST /login", CREDENTIALS) == "Administrators log in from the office."
    phone.address = OFFICE
    phone.log_in()


def closed(phone: Phone, folder: Path) -> None:
    hook = services()
    install(folder)
    phone.sign_up()
    use(hook)
    assert said(phone, "POST /login", CREDENTIALS) == "We are moving house until six o'clock."
    arabic = said(phone, "POST /login", CREDENTIALS, **{"Accept-Language": "ar"})
    assert arabic == "الخدمة متوقفة للصيانة حتى الساعة السادسة."


def counted(phone: Phone, _: Path) -> None:
    phone.sign_up()
    phone.log_in()
    phone.log_in()
    functions: Any = hooks._of_this_container(services().settings.hooks_file)
    assert functions["after_login"].__globals__["_logins"] == {"latchkey": 2}


def worked_out(phone: Phone, _: Path) -> None:
    token = phone.sign_up()["access_token"]
    assert peek(token)[1]["trial"] is True
    phone.call("PATCH /me", {"attributes": {"plan": "gold"}}, token=token)
    assert peek(phone.log_in()["access_token"])[1]["trial"] is False


def left(phone: Phone, _: Path) -> None:
    tokens = phone.sign_up()
    phone.call("PATCH /me", {"attributes": {"left": True}}, token=tokens["access_token"])
    assert said(phone, "POST /login", CREDENTIALS) == "This account is of somebody who left."
    assert said(phone, "POST /refresh", {"refresh_token": tokens["refresh_token"]}) != ""


PROVES: dict[str, Callable[[Phone, Path], None]] = {
    "Only colleagues sign up": colleagues,
    "Nobody signs up from one network": one_network,
    "Administrators log in from the office alone": administrators,
    "The service is closed for a while": closed,
    "Logins are counted": counted,
    "A claim that is worked out": worked_out,
    "No token for who left": left,
}
ELSEWHERE = {
    "A new account is handed on",
    "What a guest had goes to their account",
    "A mail in your own words",
}


def test_each_example_is_run_and_each_hook_has_one_or_its_kin() -> None:
    assert set(EXAMPLES) == set(PROVES) | ELSEWHERE
    assert len(EXAMPLES) == 10
    written = {name for source in EXAMPLES.values() for name in re.findall(r"^def (\w+)", source, re.MULTILINE)}
    assert written == set(HOOKS) - {"after_upgrade"}
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("title", PROVES)
def test_an_example_does_what_it_says(phone: Phone, tmp_path: Path, title: str) -> None:
    install(tmp_path, EXAMPLES[title])
    PROVES[title](phone, tmp_path)


def test_a_new_account_is_handed_on(phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tmp_path, EXAMPLES["A new account is handed on"])
    uid = phone.sign_up()["user"]["sub"]
    assert f'"uid": "{uid}"' in capsys.readouterr().out


def test_what_a_guest_had_goes_to_their_account_only_where_they_read_its_mail(
    phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.sign_up()
    install(tmp_path, EXAMPLES["What a guest had goes to their account"] + "    print('seen', event.email_verified)\n")
    token = phone.call("POST /signup/guest").json()["access_token"]
    assert refusal(phone.call("POST /me/upgrade", CREDENTIALS, token=token)) == (409, "email_taken")
    out = capsys.readouterr().out
    assert "seen False" in out
    assert '"merge"' not in out


def test_a_mail_is_in_the_operators_own_words_and_its_hook_saw_no_link(
    phone: Phone, tmp_path: Path, mailbox: Ses, capsys: pytest.CaptureFixture[str]
) -> None:
    source = EXAMPLES["A mail in your own words"]
    install(tmp_path, source.replace("-> Mail | None:\n", "-> Mail | None:\n    print('seen', event)\n"))
    phone.sign_up()
    deliver()
    (mail,) = mailbox.mails
    assert mail.subject == "One click, and you are in"
    assert "https://id.example/" in mail.text
    assert "{link}" not in mail.text
    assert "https://" not in "".join(line for line in capsys.readouterr().out.splitlines() if line.startswith("seen"))


NO_MAILS = {
    "raises": "raise ValueError",
    "refuses": "from chalicelib.hooks import Refuse\n    raise Refuse('no')",
    "without its link": "return Mail(subject='x', text='y')",
    "without its link in HTML": "return Mail(subject='x', text='{link}', html='<p>y</p>')",
    "a link in the subject": "return Mail(subject='{link}', text='{link}')",
    "two lines in the subject": "return Mail(subject='x\\r\\nBcc: eve@example.net', text='{link}')",
    "no mail": "return 'hello'",
    "no texts": "return Mail(subject=b'x', text='{link}')",
}


@pytest.mark.parametrize("body", NO_MAILS.values(), ids=NO_MAILS.keys())
def test_where_the_hook_has_no_mail_of_use_the_usual_one_is_sent(
    phone: Phone, tmp_path: Path, mailbox: Ses, body: str
) -> None:
    install(tmp_path, f"from chalicelib.hooks import Mail\ndef mail(event):\n    {body}\n")
    phone.sign_up()
    deliver()
    (mail,) = mailbox.mails
    assert "Latchkey" in mail.subject
    assert "https://id.example/" in mail.text
