import unicodedata
from collections.abc import Collection, Iterator

from ..errors import InvalidRequest

# RFC 5321 has 254 octets; a character of another width or composition, to be normalised, has up to 4 bytes for one of them.
MAX_BYTES = 4 * 254
SPECIALS = frozenset('()<>[]:;@\\," \t\r\n')  # RFC 5322 section 3.2.3, but the full stop
NO_ADDRESS = "`email` is not an e-mail address."


def check_length(address: str) -> None:
    """Raises InvalidRequest for what is too long to be an address however it is normalised, which costs more the longer it is."""
    if len(address) > MAX_BYTES or len(address.encode(errors="surrogatepass")) > MAX_BYTES:
        raise InvalidRequest(NO_ADDRESS)


def canonical(address: str) -> str:
    """The one form under which an address is looked up, whatever its case, width or domain encoding (UTS 46).

    Anything that cannot be an address comes back as it is, and no account has it; raises InvalidRequest if it is too long.
    """
    check_length(address)
    local, at, domain = address.rpartition("@")
    # UTS 46 alone for the domain: casefold and NFKC would make straße.de, which is another's, strasse.de.
    name = domain.lower() if domain.isascii() else _ascii(domain)
    return f"{unicodedata.normalize('NFKC', local).casefold()}{at}{name}"


def in_domains(canonical_email: str, domains: Collection[str]) -> bool:
    """Whether an address is of one of these domains; `*.example.com` are all below example.com, and not that itself."""
    name = canonical_email.rpartition("@")[2]
    parents = (f"*.{parent}" for parent in _parents(name))
    return not {name, *parents}.isdisjoint(domains)


def _parents(domain: str) -> Iterator[str]:
    while domain := domain.partition(".")[2]:
        yield domain


def _ascii(domain: str) -> str:
    import idna

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain.lower()


def validate(address: str) -> str:
    """The address as its owner writes it, normalised, to be stored and mailed; raises InvalidRequest if it is none."""
    check_length(address)
    from email_validator import EmailNotValidError, validate_email

    try:
        normalised = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        raise InvalidRequest(NO_ADDRESS) from None
    local = normalised.rpartition("@")[0]
    # A wide @, quotation mark or space is an ordinary one to whatever folds it, and the mail another's then.
    if not local.isascii() and not SPECIALS.isdisjoint(unicodedata.normalize("NFKC", local)):
        raise InvalidRequest(NO_ADDRESS)
    return normalised
