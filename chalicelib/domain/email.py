import unicodedata

from .errors import InvalidRequest


def canonical(address: str) -> str:
    """The one form under which an address is looked up, whatever its case, width or domain encoding (UTS 46).

    Anything that cannot be an address comes back as it is, to be found nowhere.
    """
    local, at, domain = address.rpartition("@")
    # UTS 46 alone for the domain: casefold and NFKC would make straße.de, which is another's, strasse.de.
    name = domain.lower() if domain.isascii() else _ascii(domain)
    return f"{unicodedata.normalize('NFKC', local).casefold()}{at}{name}"


def _ascii(domain: str) -> str:
    import idna

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain.lower()


def validated(address: str) -> str:
    """The address as its owner writes it, normalised, to be stored and mailed; raises InvalidRequest if it is none."""
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        raise InvalidRequest("`email` is not an e-mail address.") from None
