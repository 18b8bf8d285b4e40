"""A deployment on a port of this machine, an application that uses it, and Debian's Chromium in front of both."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from app import app
from chalicelib.config import load
from local import ports, server
from local.gateway import Gateway
from tests.pages.site import Application, Site
from tests.support.aws import container, deploy
from tests.support.phone import installed
from tests.support.strength import judged_once

# The shell is the same browser without what windows need, and does with two thirds of the work.
BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
CHROMIUM = next(filter(Path.exists, BROWSERS), BROWSERS[0])
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave these tests out where there is no Chromium, in one line a file; never where all has to be tested."""
    if CHROMIUM.exists() or os.environ.get("CI") == "true":
        return
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(f"{CHROMIUM} is missing: `make debian` installs it on Debian"))


@pytest.fixture(scope="module")
def host() -> str:
    """The name of this machine in the issuer; a browser takes no address as the place of a passkey."""
    return "127.0.0.1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, host: str) -> Iterator[Site]:
    """A deployment of this module's own, served on a free port."""
    own, listening = uuid4().hex, ports.listen()
    settings = load(
        {
            "LATCHKEY_ISSUER": ports.url(listening, host),
            "LATCHKEY_USERS_TABLE": f"users-{own}",
            "LATCHKEY_GRANTS_TABLE": f"grants-{own}",
            "LATCHKEY_OUTBOX_TABLE": f"outbox-{own}",
            "LATCHKEY_KEYS_PATH": f"/{own}/keys",
            "LATCHKEY_ALGORITHM": "ES256",
            "LATCHKEY_MAIL_FROM": "login@id.example",
            "LATCHKEY_BRAND_HELP": "https://garden.example/{language}/help",
            "LATCHKEY_BRAND_PRIVACY": "https://garden.example/{language}/privacy",
            "LATCHKEY_BRAND_TERMS": "https://garden.example/{language}/terms",
            "LATCHKEY_APIS_FILE": str(tmp_path_factory.mktemp("site") / "apis.json"),
        }
    )
    deploy(settings)
    svc = container(settings)
    with installed(svc), judged_once(), server.serving(Gateway(app), listening):
        yield Site(svc)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, with a profile of its own that is empty."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


Opener = Callable[..., Page]


class Profiles:
    """The browser's profiles, by what is particular about them, for to make one costs as much as a test.

    Each keeps an empty tab open, for with its last tab it would close its whole window.
    """

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._free: dict[str, list[BrowserContext]] = {}

    def take(self, options: Mapping[str, object]) -> BrowserContext:
        """A profile that nobody has, and in which nothing is known of anybody."""
        free = self._free.setdefault(repr(options), [])
        return free.pop() if free else self._made(options)

    def give_back(self, context: BrowserContext, options: Mapping[str, object] | None) -> None:
        """Closes a profile's tabs and forgets whom it knows; without its options it is not used again."""
        if options is None:
            context.close()
            return
        for tab in context.pages[1:]:
            tab.close()
        context.clear_cookies()
        self._free[repr(options)].append(context)

    def _made(self, options: Mapping[str, object]) -> BrowserContext:
        context = self._chromium.new_context(**{"viewport": {"width": 1000, "height": 800}, **options})  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        context.new_page()
        return context


@pytest.fixture(scope="module")
def profiles(chromium: Browser) -> Profiles:
    """The profiles of a module's windows."""
    return Profiles(chromium)


@pytest.fixture
def open_page(profiles: Profiles) -> Iterator[Opener]:
    """Opens a window of a person of its own: nothing of other windows is known in it.

    What changes the profile itself, as its clock, says `kept=False`.
    """
    taken_profiles: list[tuple[BrowserContext, Mapping[str, object] | None]] = []

    def open_window(*, kept: bool = True, **options: object) -> Page:
        context = profiles.take(options)
        taken_profiles.append((context, options if kept else None))
        return context.new_page()

    yield open_window
    for context, options in taken_profiles:
        profiles.give_back(context, options)


@pytest.fixture
def window(open_page: Opener) -> Page:
    """A window."""
    return open_page()


@pytest.fixture
def application(site: Site) -> Iterator[Application]:
    """An application on its user's machine, with a server that waits for the answer."""
    answers: list[str] = []
    onward: list[str] = []

    class Waiting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(self.path)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(f"{self.path}?{body}")

        def _answer(self, target: str) -> None:
            if target.startswith("/cb?"):
                answers.append(target)
            self.send_response(303 if onward and target.startswith("/cb?") else 200)
            for place in onward:
                self.send_header("Location", place)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>The application</title><p>Welcome")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    waiting = ThreadingHTTPServer(("127.0.0.1", 0), Waiting)
    thread = threading.Thread(target=waiting.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Application(site, f"http://127.0.0.1:{waiting.server_address[1]}/cb", answers, onward)
    waiting.shutdown()
    thread.join()
    waiting.server_close()
