"""The user at a browser, who is no part of any client."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests

from local.gateway import Answer
from tests.support.browser import Form, forms
from tests.support.phone import PASSWORD

STEPS = 10  # more than any way through the pages has


@dataclass
class Person:
    """A user who logs in and decides wherever a page asks for it; knows pages by their forms, and no address of ours."""

    issuer: str
    email: str
    decision: str = "allow"
    web: requests.Session = field(default_factory=requests.Session)

    def visit(self, address: str) -> dict[str, Any]:
        """Where the browser is sent in the end (`url`, and the `form` that it posts there), or the `page` that it stays on."""
        answer = self.web.get(address, allow_redirects=False)
        for _ in range(STEPS):
            location = urljoin(answer.url, answer.headers.get("Location", ""))
            form = next(iter(forms(_page(answer)).values()), None)
            if answer.is_redirect:
                if not self._ours(location):
                    return {"url": location}
                answer = self.web.get(location, allow_redirects=False)
            elif form and answer.ok:
                if not self._ours(form.action):
                    return {"url": form.action, "form": form.hidden}
                answer = self._filled_in(form)
        return {"page": answer.status_code, "text": answer.text}

    def open(self, address: str) -> requests.Response:
        """The page of a product that the browser ends on, logged in wherever it was sent to us."""
        answer = self._next(address)
        for _ in range(STEPS):
            if not answer.is_redirect:
                break
            answer = self._next(urljoin(answer.url, answer.headers["Location"]))
        return answer

    def _next(self, location: str) -> requests.Response:
        if not self._ours(location):
            return self.web.get(location, allow_redirects=False)
        sent = self.visit(location)
        assert "url" in sent, sent
        if "form" in sent:
            return self.web.post(sent["url"], sent["form"], allow_redirects=False)
        return self.web.get(sent["url"], allow_redirects=False)

    def _ours(self, address: str) -> bool:
        return address.startswith(f"{self.issuer}/")

    def _filled_in(self, form: Form) -> requests.Response:
        typed = {"email": self.email, "password": PASSWORD} if "password" in form.typed else {}
        pressed = {name: self.decision for name, _ in form.buttons if name == "decision"}
        fields = {**form.hidden, **form.typed, **typed, **pressed}
        return self.web.post(form.action, fields, headers={"Origin": self.issuer}, allow_redirects=False)


def _page(response: requests.Response) -> Answer:
    return Answer(response.status_code, list(response.headers.items()), response.content)
