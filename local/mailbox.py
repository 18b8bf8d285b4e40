"""`/_local/outbox`: the mails of this run, as their readers would see them, and as JSON for other people's tests."""

import json
import os
import urllib.request
from html import escape
from typing import Any

from local.gateway import Answer

PATH, JSON_PATH = "/_local/outbox", "/_local/outbox.json"
# A mail's own HTML may show pictures and lead to pages, and nothing else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https:; frame-src 'self'"


def mails() -> list[dict[str, Any]]:
    """Return all mails of this run, the newest first."""
    key = f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/"
    address = f"{os.environ['AWS_ENDPOINT_URL']}/_ministack/ses/messages"
    request = urllib.request.Request(address, headers={"Authorization": key})
    with urllib.request.urlopen(request, timeout=5) as answer:
        sent = [each for of_account in json.load(answer)["messages"].values() for each in of_account]
    return [
        {
            "from": each["Source"],
            "to": each["To"][0],
            "subject": each["Subject"],
            "text": each["BodyText"],
            "html": each["BodyHtml"],
            "at": int(each["Timestamp"]),
        }
        for each in sorted(sent, key=lambda each: each["Timestamp"], reverse=True)
    ]


def answer(path: str) -> Answer:
    """Answer one of the two addresses."""
    if path == JSON_PATH:
        return Answer(200, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], _json(mails()))
    body = "".join(map(_shown_mail, mails())) or "<p>No mail yet.</p>"
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    return Answer(200, [*headers, ("Content-Security-Policy", POLICY)], _PAGE.replace("{mails}", body).encode())


def _json(listed: list[dict[str, Any]]) -> bytes:
    return json.dumps({"mails": listed}, ensure_ascii=False).encode()


def _shown_mail(mail: dict[str, Any]) -> str:
    return (
        f"<article><h2>{escape(mail['subject'])}</h2><p>From {escape(mail['from'])} to <b>{escape(mail['to'])}</b></p>"
        # Sandboxed: nothing in it runs, and its links open beside this page.
        f'<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="{escape(mail["subject"])}" '
        f'srcdoc="{escape("<base target=_blank>" + mail["html"])}"></iframe>'
        f"<details><summary>As plain text</summary><pre>{escape(mail['text'])}</pre></details></article>"
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Outbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:0 auto;padding:1rem;color:#111;background:#fff}
article{border:1px solid #ccc;border-radius:8px;padding:1rem;margin:1rem 0}h2{margin:0}
iframe{width:100%;height:26rem;border:1px solid #ddd}pre{white-space:pre-wrap;overflow-wrap:anywhere}
</style></head><body><main><h1>Outbox</h1>
<p>Mail of this local run. It is sent nowhere. <a href="/_local/outbox.json">The same as JSON</a>.</p>
{mails}</main></body></html>
"""
