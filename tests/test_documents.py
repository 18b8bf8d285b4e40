"""The documents: their lines can be read beside the code, and what they point to is there."""

import re
import subprocess
from inspect import isfunction
from pathlib import Path

import pytest

from chalicelib import config
from chalicelib.domain import errors
from chalicelib.domain.accounts.events import EVENTS, EventType
from chalicelib.domain.accounts.profile import CLAIMS
from chalicelib.domain.oauth.client import OPERATORS_ALONE, PRIVILEGES, SELF_REGISTRABLE
from chalicelib.domain.records.once import ONCE
from chalicelib.domain.records.outbox import MESSAGES
from chalicelib.domain.records.sealed import SEALED
from chalicelib.flows.oauth.grants import GRANTS
from chalicelib.store.attempts import Attempts
from chalicelib.store.clients import Clients
from chalicelib.store.events import Events
from chalicelib.store.factors import Factors
from chalicelib.store.guests import Guests
from chalicelib.store.key_parameters import PARAMETERS
from chalicelib.store.keys import Keys
from chalicelib.store.once import Once
from chalicelib.store.outbox import Outbox
from chalicelib.store.refusals import Refusals
from chalicelib.store.remembered_devices import RememberedDevices
from chalicelib.store.sessions import Sessions
from chalicelib.store.transactions import Transactions
from chalicelib.store.users import Users
from chalicelib.web.http import middleware
from chalicelib.web.mails.delivery import MAILS
from chalicelib.web.metadata.apis import operations
from chalicelib.web.metadata.server import ENDPOINTS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LONGEST = 120
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
DOCUMENTS = LISTED.stdout.split()
URL_ALONE = re.compile(r"\s*<?https?://\S+")
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
READS = {
    *(
        "Clients.read",
        "Clients.consent",
        "Clients.consents",
        "Clients.read_all",
        "Once.read",
        "Refusals.read",
        "Users.read",
        "Users.find",
    ),
    *("Users.is_free", "Users.unverified", "Users.to_be_deleted"),
    "Events.of_user",
    *("Factors.of_user", "Factors.find"),
    *("Keys.read", "Keys.recent", "Keys.pairwise_alone"),
    *("Outbox.read", "Outbox.undelivered"),
    *("RememberedDevices.read", "RememberedDevices.of_user"),
    *("Sessions.of_user", "Sessions.readable_of_user", "Sessions.with_user", "Sessions.with_user_and_client"),
}
ADDING = (DOCS / "contributing.md").read_text().partition("\n## To add\n")[2].partition("\n## ")[0]
PARTS = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^### |\Z)", ADDING, re.MULTILINE | re.DOTALL))


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", file.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_of_a_document_is_too_long_to_be_read_beside_another(name: str) -> None:
    lines = enumerate((ROOT / name).read_text().split("\n"), 1)
    assert [number for number, line in lines if len(line) > LONGEST and not URL_ALONE.fullmatch(line)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_link_to_a_file_or_a_heading_leads_there(name: str) -> None:
    page = ROOT / name
    for to, anchor in LINK.findall(BLOCK.sub("", page.read_text())):
        target = page.parent / to if to else page
        assert target.exists(), to
        assert not anchor or anchor in anchors(target), f"{to}#{anchor}"


@pytest.mark.parametrize("kind", PARTS)
def test_what_is_to_be_written_for_each_kind_of_thing_is_said_in_three_lines(kind: str) -> None:
    assert re.findall(r"^- (\w+): \S", PARTS[kind], re.MULTILINE) == ["Code", "Tests", "Documents"]
    assert [line for line in PARTS[kind].split("\n") if not line.startswith(("- ", "  ")) and line] == []


@pytest.mark.parametrize("kind", PARTS)
def test_each_file_and_each_name_in_it_that_a_part_gives_is_there(kind: str) -> None:
    text = " ".join(PARTS[kind].split())
    for path in re.findall(r"`([\w.][\w.*-]*/[\w./*-]+|\w+\.py)`", text):
        assert list(ROOT.glob(path)), path
    for name, path in re.findall(r"`(\w+)` of `([\w/]+\.py)`", text):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{name} of {path}"


def test_the_documents_and_the_kinds_of_things_to_add_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/oauth.md", "examples/notes/README.md"} <= set(DOCUMENTS)
    kinds = {"a grant", "a factor", "a provider", "a session", "a page", "an admin route", "a client's field"}
    assert {*kinds, "a stored record", "a setting", "a mail", "a route"} <= set(PARTS)


def section(name: str, heading: str) -> str:
    """A document's part below a heading, to the next of the same level."""
    level = heading.partition(" ")[0]
    return (DOCS / name).read_text().partition(f"\n{heading}\n")[2].partition(f"\n{level} ")[0]


def listed(text: str) -> list[str]:
    """The names that a list's bullets are about: those before the colon, but for defaults in brackets."""
    heads = [bullet.partition(":")[0] for bullet in re.findall(r"^- (`.*)", text, re.MULTILINE)]
    return [name for head in heads for name in re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", head))]


def test_the_settings_are_those_that_the_code_reads() -> None:
    read = set(
        re.findall(r"LATCHKEY_[A-Z0-9_]+", "".join(map(Path.read_text, Path(config.__file__).parent.glob("*.py"))))
    )
    names = [name for name in listed(section("operations.md", "### Settings")) if name.startswith("LATCHKEY_")]
    assert sorted(names) == sorted(read)


def test_a_client_s_metadata_are_those_that_it_or_its_operator_may_say() -> None:
    assert sorted(listed(section("oauth.md", "### Metadata"))) == sorted({*SELF_REGISTRABLE, *OPERATORS_ALONE})


def test_the_privileges_that_make_all_metadata_the_operator_s_are_told() -> None:
    assert set(PRIVILEGES) <= set(re.findall(r"`(\w+)`", section("oauth.md", "### Clients that register themselves")))


def test_each_grant_type_has_a_heading() -> None:
    headings = re.findall(r"^### ([a-z_:-]+)$", section("oauth.md", "## Grants"), re.MULTILINE)
    assert sorted(headings) == sorted(GRANTS)


def test_each_endpoint_that_the_metadata_announces_is_in_the_table() -> None:
    rows = re.findall(r"^\| (.*?) \|", section("oauth.md", "## Endpoints"), re.MULTILINE)
    paths = {path for row in rows for path in re.findall(r"(/[\w./-]+)`", row)}
    assert set(ENDPOINTS.values()) - paths == {"/docs"}


def refusals(kind: type[errors.LatchkeyError]) -> set[str]:
    """The codes of all refusals of a kind."""
    return {kind.code}.union(*map(refusals, kind.__subclasses__()))


def test_each_refusal_has_its_line() -> None:
    # The two last are words of pages, for one that has a line.
    codes = refusals(errors.LatchkeyError) | {code for code, _ in middleware.CHALICE.values()}
    named = set(re.findall(r"`(\w+)`", section("oauth.md", "## Errors")))
    assert codes - named == {"long_name", "stale_page"}


def test_each_page_has_its_line() -> None:
    lines = [re.sub(r"`DELETE [^`]*`", "", line) for line in section("oauth.md", "## Pages").split("\n- ")]
    named = {path for line in lines for path in re.findall(r"`(/[\w./-]*)`", line)}
    assert named == {each.path for each in operations() if each.method == "GET" and each.page and not each.media}


STORES = (
    Attempts,
    Clients,
    Events,
    Factors,
    Guests,
    Keys,
    Once,
    Outbox,
    Refusals,
    RememberedDevices,
    Sessions,
    Transactions,
    Users,
)


def test_each_verb_of_a_store_that_writes_is_in_the_data_model() -> None:
    verbs = {
        f"{store.__name__}.{name}"
        for store in STORES
        for name, member in vars(store).items()
        if isfunction(member) and not name.startswith("_")
    }
    documented = set(re.findall(r"`([A-Z]\w+\.\w+)`", section("data-model.md", "## Who writes what")))
    assert documented == verbs - READS


def test_each_kind_of_what_is_good_once_is_in_the_data_model_with_its_value() -> None:
    page = section("data-model.md", "### What is good once, or for a short time")
    table = [kind for row in re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE) for kind in re.findall(r"`(.+?)`", row)]
    values = [kind for row in re.findall(r"^- (`.+?`):", page, re.MULTILINE) for kind in re.findall(r"`(.+?)`", row)]
    assert sorted(table) == sorted(values) == sorted(each.kind for each in ONCE)


def test_each_kind_of_message_is_in_the_data_model() -> None:
    documented = re.findall(r"^\| `(.+?)` \|", section("data-model.md", "### A message"), re.MULTILINE)
    assert sorted(documented) == sorted(MESSAGES)


def test_each_mail_is_in_its_document() -> None:
    documented = re.findall(r"^\| `(.+?)` \|", section("mail.md", "## What is mailed"), re.MULTILINE)
    assert sorted(documented) == sorted(MAILS)


def test_each_event_is_in_its_document_as_it_is_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \| (.+) \|$", section("events.md", "## The events"), re.MULTILINE)
    assert rows == [(name, kind.outcome, _kept(kind), kind.meaning) for name, kind in EVENTS.items()]


def _kept(kind: EventType) -> str:
    return "—" if not kind.kept else "matters" if kind.matters else "first" if kind.recurs else "yes"


def test_each_sealed_record_is_in_the_data_model() -> None:
    documented = re.findall(r"^- `(.+?)`:", section("data-model.md", "## What callers carry"), re.MULTILINE)
    assert sorted(documented) == sorted(each.purpose.decode().removesuffix("\0") for each in SEALED)


def test_each_kind_of_key_is_in_the_data_model() -> None:
    documented = re.findall(r"^- `…/(\w+)/.+?`:", section("data-model.md", "## SSM parameters"), re.MULTILINE)
    assert sorted(documented) == sorted(PARAMETERS)


def test_each_claim_that_a_user_says_is_in_the_document_on_oauth() -> None:
    (line,) = re.findall(
        r"- `profile` has the standard claims [^:]+: (.*?)\.\n", section("oauth.md", "## Tokens"), re.DOTALL
    )
    assert set(re.findall(r"`(\w+)`", line)) == {"name", *CLAIMS, "updated_at"}
