"""What a client that nobody vouches for may have: what is offered to its like by now, not on the day it registered."""

from collections.abc import Collection
from dataclasses import replace

from .claims import OPENID_SCOPES
from .client import Client, Names
from .client_rules import ACCOUNT


def with_present_offer(client: Client, *, scopes: Names, resources: Names) -> Client:
    """A client that registered itself, or that has a document, with what is offered to its like; any other as it is.

    The scopes that it registered are what a request without `scope` is for. What an operator has set for it stays.
    """
    if client.made_by_operator:
        return client
    if "resources" not in client.operator_set:
        # Those it has are of its registration in an earlier release, and an operator may have added to them.
        client = replace(client, resources=tuple(dict.fromkeys((*client.resources, *resources))))
    if "scopes" in client.operator_members:
        return client
    offered = tuple(each for each in scopes if each != ACCOUNT or client.subject_type != "pairwise")
    return replace(client, scopes=offered, default_scopes=client.scopes)


def narrow_to_api(client: Client, known: Collection[str]) -> Client:
    """A client that nobody vouches for without the scopes that an API's map does not know, beside OpenID Connect's own."""
    if client.made_by_operator:
        return client
    return replace(client, scopes=tuple(each for each in client.scopes if each in known or each in OPENID_SCOPES))
