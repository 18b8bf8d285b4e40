import os
import string
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from . import credentials

# By how the name of a region begins; all others are of AWS itself.
SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}
# Of the name of a host, or of its address.
LETTERS = frozenset(string.ascii_lowercase + string.digits + ".-_:")
# What only botocore knows the addresses for.
SPECIAL = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


class Endpoint(NamedTuple):
    """Where a service answers; `authority` is its name in the Host header."""

    region: str
    secure: bool
    host: str
    port: int
    authority: str


def endpoint(service: str, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The endpoint of a service that the environment names, else its region's own.

    Where the environment has not all that is needed, it is botocore's to find, in a profile for instance.
    """
    region = environ.get("AWS_DEFAULT_REGION", "")
    special = any(environ.get(name, "").lower() == "true" for name in SPECIAL)
    if special or not region or not credentials.complete(environ):
        return _of_botocore(service)
    named = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL")
    return parse(named or f"https://{service}.{region}.{suffix(region)}", region)


def suffix(region: str) -> str:
    """The end of all names of AWS in a region."""
    return next((suffix for prefix, suffix in SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")


def parse(url: str, region: str) -> Endpoint:
    """An endpoint by its URL; raises ValueError for one that is not just a scheme, a host and a port."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or not LETTERS.issuperset(parts.hostname)
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ValueError(f"an endpoint of AWS is https://host or http://host:port, not {url!r}")
    usual = 443 if parts.scheme == "https" else 80
    port = parts.port or usual
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Endpoint(region, usual == 443, parts.hostname, port, host if port == usual else f"{host}:{port}")


def _of_botocore(service: str) -> Endpoint:
    import boto3

    meta = boto3.client(service).meta  # type: ignore[call-overload]
    return parse(meta.endpoint_url, meta.region_name)
