"""Any sequence of what two clients, their users and a thief can do with codes, refresh tokens and devices, against a model.

Both clients have the same redirect URIs, and either verifier may belong to a code: nothing but the one check that a wrong
redemption is about can refuse it.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, rule

from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, REFRESH
from local.gateway import Answer
from tests.support.browser import (
    CALLBACK,
    CHALLENGE,
    VERIFIER,
    App,
    Browser,
    callback_params,
    forms,
    register,
    token_response,
)
from tests.support.modelled import ACCESS, IDLE, WINDOW, YEAR, Access, Account, Deployed, Session
from tests.support.phone import PASSWORD, refusal
from tests.support.staged import just_before

CODE_SECONDS, DEVICE_SECONDS, INTERVAL = 60, 600, 5
OTHER_CALLBACK = "https://app.example/other"
# The second one's challenge is from `printf %s AAA… | openssl dgst -sha256 -binary | basenc --base64url`.
CHALLENGES = {VERIFIER: CHALLENGE, "A" * 43: "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo"}
SCOPES = ["openid offline_access notes:read notes:write", "notes:read notes:write", "openid notes:read"]
SESSION = "__Host-latchkey-session"
GRANTS = (CODE, REFRESH, DEVICE_CODE)


@dataclass(eq=False)
class OfClient(Session):
    """A session of one of the clients: whose it is, and the browser's session in which it was allowed."""

    app: App = field(kw_only=True)
    scope: str = field(kw_only=True)
    cookie: str = field(kw_only=True)


@dataclass(eq=False)
class Issued:
    """A code, and the session that it has become, or none yet."""

    account: Account
    app: App
    text: str
    scope: str
    cookie: str
    verifier: str
    redirect_uri: str
    expires_at: int
    ended: bool = False
    session: OfClient | None = None


@dataclass(eq=False)
class Device:
    """A pair of codes: how often the device may ask, and what somebody has decided."""

    app: App
    codes: dict[str, Any]
    scope: str
    expires_at: int
    interval: int = INTERVAL
    polled_at: int = 0
    decision: str = ""
    account: Account | None = None
    cookie: str = ""
    ended: bool = False
    spent: bool = False


class Grants(Deployed):
    codes = Bundle("codes")
    sessions = Bundle("sessions")
    devices = Bundle("devices")

    def __init__(self) -> None:
        super().__init__()
        own = {"grant_types": GRANTS, "redirect_uris": (CALLBACK, OTHER_CALLBACK)}
        self.apps = [register(self.svc, self.phone, kind, **own) for kind in ("web", "spa")]
        self.issued: list[Issued] = []
        self.waiting: list[Device] = []
        self.accounts: list[Account] = []
        self.browsers: list[Browser] = []
        # The first cookie of the browser's session that a cookie is of.
        self.sessions_of_cookies: dict[str, str] = {}
        for _ in range(2):
            email = f"{uuid4().hex}@example.com"
            self.accounts.append(Account(email, PASSWORD, self.phone.sign_up(email)["user"]["sub"]))
            self.browsers.append(Browser(self.phone))

    @initialize(target=sessions)
    def first(self) -> Any:
        """A session of each client to begin with: most steps need one."""
        codes = [self.issue_code(0, 0), self.issue_code(1, 1)]
        for code in codes:
            self.wrongly_redeemed(code)
        return multiple(*[session for code in codes if (session := self.redeem_code(code))])

    @initialize(target=codes)
    def first_code(self) -> Issued:
        return self.issue_code(0, 1)

    @initialize(target=devices)
    def first_device(self) -> Device:
        """One that has been approved already."""
        device = self.new_device(0)
        self.make_decision(device, 1, "allow")
        return device

    def other(self, app: App) -> App:
        return self.apps[1 - self.apps.index(app)]

    def start_session(
        self, account: Account, app: App, answer: Answer, *, scope: str, cookie: str, ends_at: int
    ) -> OfClient:
        tokens, now = token_response(answer), self.clock()
        assert tokens["scope"].split() == scope.split()
        # An OpenID client has to ask for refresh tokens; without them a session lives as long as its access token.
        lasting = "openid" not in scope.split() or "offline_access" in scope.split()
        assert ("refresh_token" in tokens) == lasting
        texts, expires_at = ([tokens["refresh_token"]], now + IDLE) if lasting else ([], now + ACCESS)
        session = OfClient(account, min(expires_at, ends_at), ends_at, texts, app=app, scope=scope, cookie=cookie)
        account.sessions.append(session)
        self.access.append(Access(session, tokens["access_token"], now + ACCESS))
        return session

    @rule(
        target=codes,
        who=st.integers(0, 1),
        app=st.integers(0, 1),
        redirect_uri=st.sampled_from([CALLBACK, OTHER_CALLBACK]),
        verifier=st.sampled_from(list(CHALLENGES)),
        scope=st.sampled_from(SCOPES),
    )
    def authorize(self, who: int, app: int, redirect_uri: str, verifier: str, scope: str) -> Issued:
        return self.issue_code(who, app, redirect_uri, verifier, scope)

    def issue_code(
        self, who: int, app: int, uri: str = CALLBACK, verifier: str = VERIFIER, scope: str = SCOPES[0]
    ) -> Issued:
        account, client, browser = self.accounts[who], self.apps[app], self.browsers[who]
        params = {"redirect_uri": uri, "code_challenge": CHALLENGES[verifier], "scope": scope}
        text = callback_params(browser.finish(browser.authorize(client, **params), email=account.email))["code"]
        cookie, expires_at = self.session_in(browser), self.clock() + CODE_SECONDS
        code = Issued(account, client, text, scope, cookie, verifier, uri, expires_at)
        self.issued.append(code)
        return code

    @rule(target=sessions, code=codes, wait=st.sampled_from([0, 0, 0, CODE_SECONDS - 1, CODE_SECONDS]))
    def redeem(self, code: Issued, wait: int) -> Any:
        self.clock.advance(wait)
        return self.redeem_code(code) or multiple()

    @rule(code=codes)
    def redeem_wrongly(self, code: Issued) -> None:
        self.wrongly_redeemed(code)

    def wrongly_redeemed(self, code: Issued) -> None:
        """One thing is wrong each time: nothing is got by it, and nothing changes, whatever has become of the code."""
        (verifier,) = CHALLENGES.keys() - {code.verifier}
        (uri,) = {CALLBACK, OTHER_CALLBACK} - {code.redirect_uri}
        for app, one, other in (
            (self.other(code.app), code.verifier, code.redirect_uri),
            (code.app, verifier, code.redirect_uri),
            (code.app, code.verifier, uri),
        ):
            answer = app.redeem(code.text, code_verifier=one, redirect_uri=other)
            assert refusal(answer) == (400, "invalid_grant")

    @rule(code=codes, who=st.integers(0, 1), app=st.integers(0, 1))
    def redeem_twice(self, code: Issued, who: int, app: int) -> None:
        """Presents a code again, and a fresh one twice at the same moment: it may succeed once, and ends then."""
        self.redeem_code(code)
        assert self.redeem_code(code) is None
        fresh = self.issue_code(who, app)
        with just_before(self.svc.sessions._client, "UpdateItem", lambda: self.redeem_code(fresh)):
            assert self.redeem_code(fresh) is None

    def good(self, code: Issued) -> bool:
        return not (code.session or code.ended) and self.clock() < code.expires_at

    def redeem_code(self, code: Issued) -> OfClient | None:
        answer = code.app.redeem(code.text, code_verifier=code.verifier, redirect_uri=code.redirect_uri)
        if not self.good(code):
            assert refusal(answer) == (400, "invalid_grant")
            if code.session:
                code.session.ended = True
            return None
        ends_at = code.expires_at - CODE_SECONDS + YEAR
        code.session = self.start_session(
            code.account, code.app, answer, scope=code.scope, cookie=code.cookie, ends_at=ends_at
        )
        return code.session

    @rule(
        session=sessions,
        back=st.sampled_from([0, 0, 1, 2]),
        wait=st.sampled_from([0] * 8 + [WINDOW, WINDOW + 1, IDLE - 1, IDLE]),
        scope=st.sampled_from([None, None, "notes:read", "notes:write", "notes:read email", "account"]),
    )
    def refresh(self, session: OfClient, back: int, wait: int, scope: str | None) -> None:
        session = self.living(session) if back or scope or wait else session
        self.clock.advance(wait)
        self.present(session, session.place(back), scope)

    @rule(session=sessions, wait=st.sampled_from([0, WINDOW, WINDOW + 1]))
    def replay(self, session: OfClient, wait: int) -> None:
        """Presents a refresh token, once more after a while, and then the latest."""
        session = self.living(session)
        place = session.place(0)
        self.present(session, place)
        self.clock.advance(wait)
        self.present(session, place)
        self.present(session, session.place(0))

    @rule(session=sessions, back=st.integers(0, 2))
    def refresh_as_the_other_client(self, session: OfClient, back: int) -> None:
        """Neither is anything got by it, nor is it a reuse."""
        session = self.living(session)
        if session.refresh:
            answer = self.other(session.app).refresh(session.refresh[session.place(back)])
            assert refusal(answer) == (400, "invalid_grant")

    @rule(session=sessions)
    def revoke_during_a_refresh(self, session: OfClient) -> None:
        session = self.living(session)
        if not session.refresh or not session.live(self.clock()):
            return
        with just_before(self.svc.sessions._client, "UpdateItem", lambda: self.revoke_token(session, session.app)):
            self.present(session, session.place(0))

    def present(self, session: OfClient, place: int, scope: str | None = None) -> None:
        if not session.refresh:
            return
        params = {} if scope is None else {"scope": scope}
        fields = {"grant_type": REFRESH, "refresh_token": session.refresh[place], **params}
        answer = session.app.post("/oauth/token", fields)
        if not session.presented(place, self.clock()):
            assert refusal(answer) == (400, "invalid_grant")
        elif not set((scope or "").split()) <= set(session.scope.split()):
            assert refusal(answer) == (400, "invalid_scope")
        else:
            tokens = token_response(answer)
            assert tokens["scope"].split() == (scope or session.scope).split()
            session.renewed(place, tokens["refresh_token"], self.clock())
            self.access.append(Access(session, tokens["access_token"], self.clock() + ACCESS))

    @rule(target=devices, app=st.integers(0, 1), scope=st.sampled_from(SCOPES))
    def begin_on_a_device(self, app: int, scope: str) -> Device:
        return self.new_device(app, scope)

    def new_device(self, app: int, scope: str = SCOPES[0]) -> Device:
        answer = self.apps[app].post("/oauth/device", {"scope": scope})
        device = Device(self.apps[app], token_response(answer), scope, self.clock() + DEVICE_SECONDS)
        self.waiting.append(device)
        return device

    @rule(device=devices, who=st.integers(0, 1), decision=st.sampled_from(["allow", "allow", "deny"]))
    def decide(self, device: Device, who: int, decision: str) -> None:
        self.make_decision(device, who, decision)

    def make_decision(self, device: Device, who: int, decision: str) -> None:
        """Types the code and decides; who comes second or too late changes nothing."""
        account, browser = self.accounts[who], self.browsers[who]
        page = browser.get("/device")
        if "/authorize/login" in forms(page):
            page = browser.submit(page, "/authorize/login", email=account.email, password=PASSWORD)
        page = browser.submit(page, "/device", user_code=device.codes["user_code"])
        open_to_all = not (device.decision or device.spent) and self.clock() < device.expires_at
        decision_offered = ("decision", "allow") in forms(page)["/device"].buttons
        assert decision_offered or not open_to_all
        if decision_offered:
            browser.submit(page, "/device", decision=decision)
        if open_to_all:
            device.decision, device.account, device.cookie = decision, account, self.session_in(browser)

    @rule(
        target=sessions,
        device=devices,
        wait=st.sampled_from([0, 0, INTERVAL - 1, INTERVAL, 3 * INTERVAL, DEVICE_SECONDS - 1, DEVICE_SECONDS]),
    )
    def poll(self, device: Device, wait: int) -> Any:
        self.clock.advance(wait)
        return self.poll_once(device) or multiple()

    @rule(device=devices)
    def poll_as_the_other_client(self, device: Device) -> None:
        """Nothing is got by it, and the device is not slowed down."""
        over = device.spent or self.clock() >= device.expires_at
        answer = self.other(device.app).token(DEVICE_CODE, device_code=device.codes["device_code"])
        assert refusal(answer) in [(400, "invalid_grant"), *([(400, "expired_token")] if over else [])]

    @rule(device=devices, who=st.integers(0, 1), app=st.integers(0, 1))
    def poll_twice(self, device: Device, who: int, app: int) -> None:
        """Asks again, and twice at the same moment once somebody has approved: the tokens are had once."""
        self.poll_once(device)
        assert self.poll_once(device) is None
        fresh = self.new_device(app)
        self.make_decision(fresh, who, "allow")
        with just_before(self.svc.sessions._client, "TransactWriteItems", lambda: self.poll_once(fresh)):
            assert self.poll_once(fresh) is None

    def due(self, device: Device) -> bool:
        open_ = not (device.spent or device.ended) and self.clock() < device.expires_at
        return open_ and device.decision == "allow"

    def poll_once(self, device: Device) -> OfClient | None:
        now = self.clock()
        answer = device.app.token(DEVICE_CODE, device_code=device.codes["device_code"])
        if self.due(device):
            assert device.account
            device.spent = True
            return self.start_session(
                device.account, device.app, answer, scope=device.scope, cookie=device.cookie, ends_at=now + YEAR
            )
        error = refusal(answer)
        if device.spent:
            assert error in [(400, "expired_token"), (400, "invalid_grant")]
        elif now >= device.expires_at:
            assert error == (400, "expired_token")
        elif device.decision:
            assert error == (400, "access_denied")
        else:
            hasty = now < device.polled_at + device.interval
            assert error == (400, "slow_down" if hasty else "authorization_pending")
            device.polled_at, device.interval = now, device.interval + (5 if hasty else 0)
        return None

    @rule(session=sessions, by_the_other=st.booleans(), back=st.integers(0, 2))
    def revoke(self, session: OfClient, by_the_other: bool, back: int) -> None:
        self.revoke_token(session, self.other(session.app) if by_the_other else session.app, back)

    def revoke_token(self, session: OfClient, app: App, back: int = 0) -> None:
        """By a refresh token or, where there is none, an access token; the answer is the same whatever it is worth."""
        (latest, *_) = [each for each in reversed(self.access) if each.session is session]
        token = session.refresh[session.place(back)] if session.refresh else latest.text
        answer = app.post("/oauth/revoke", {"token": token})
        assert (answer.status, answer.body) == (200, b"")
        if app is session.app and (session.refresh or self.clock() < latest.exp):
            session.ended = True

    @rule(who=st.integers(0, 1), everywhere=st.sampled_from([False, False, True]))
    def leave(self, who: int, everywhere: bool) -> None:
        if everywhere:
            self.end_all_sessions(self.accounts[who])
        else:
            self.log_out(self.accounts[who], self.browsers[who])

    @rule(who=st.integers(0, 1), by_another=st.booleans())
    def log_in_again(self, who: int, by_another: bool) -> None:
        """Its own user's goes on in the browser's session; after another's, whoever was there before is logged out."""
        account, browser = self.accounts[who], self.browsers[who]
        if "/authorize/login" in forms(browser.get("/device")):
            return
        before, cookie = self.session_in(browser), browser.cookies[SESSION]
        if by_another:
            self.logged_in(browser, self.accounts[1 - who])
            self.end_browser_session(account, before)
        self.logged_in(browser, account)
        assert browser.cookies[SESSION] != cookie
        if not by_another:
            self.sessions_of_cookies[browser.cookies[SESSION]] = before

    def logged_in(self, browser: Browser, account: Account) -> None:
        page = browser.authorize(self.apps[0], prompt="login")
        browser.submit(page, "/authorize/login", email=account.email, password=PASSWORD)

    def session_in(self, browser: Browser) -> str:
        cookie = browser.cookies[SESSION]
        return self.sessions_of_cookies.get(cookie, cookie)

    def log_out(self, account: Account, browser: Browser) -> None:
        page = browser.get("/oauth/logout")
        if "/oauth/logout/confirm" not in forms(page):
            return
        cookie = self.session_in(browser)
        browser.submit(page, "/oauth/logout/confirm")
        self.end_browser_session(account, cookie)

    def end_browser_session(self, account: Account, cookie: str) -> None:
        """Ends what was allowed in a browser's session, but not what was granted for the user's absence."""
        for each in [*account.sessions, *self.of(account, self.issued)]:
            each.ended = each.ended or (each.cookie == cookie and "offline_access" not in each.scope.split())
        for device in self.of(account, self.waiting):
            # Nobody sees an approval in the list of sessions: it ends with the session that it was given in.
            device.ended = device.ended or device.cookie == cookie

    def end_all_sessions(self, account: Account) -> None:
        """From the first endpoint, by whoever has just logged in there: ends also what is on its way to become a session."""
        token = self.phone.log_in(account.email)["access_token"]
        assert self.phone.call("DELETE /me/sessions", token=token).status == 204
        for each in [*account.sessions, *self.of(account, self.issued), *self.of(account, self.waiting)]:
            each.ended = True

    def of(self, account: Account, those: list[Any]) -> list[Any]:
        return [each for each in those if each.account is account]

    @rule(seconds=st.sampled_from([1, WINDOW, ACCESS - 1, ACCESS]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)


TestGrants = pytest.mark.slow(Grants.TestCase)
TestGrants.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
