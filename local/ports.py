"""Ports of this machine alone, which are taken before anybody serves them; whoever only takes them starts no gateway."""

import errno
import socket

NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def listen(port: int = 0) -> socket.socket:
    """Take a port of 127.0.0.1 (0: any free one), where connections queue up until they are served."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except (OSError, OverflowError):  # taken, or no port's number
        listening.close()
        raise
    return listening


def listen_beside(listening: socket.socket) -> socket.socket | None:
    """Take the same port of [::1], which is `localhost` as well; None on a machine without IPv6.

    A program that asks for `localhost` may try it first, and would reach whoever else has it.
    """
    beside = None
    try:
        beside = socket.socket(socket.AF_INET6)
        beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        beside.bind(("::1", listening.getsockname()[1]))
        beside.listen(128)
    except OSError as error:
        if beside is not None:
            beside.close()
        if error.errno in NO_IPV6:
            return None
        raise
    return beside


def url(listening: socket.socket, host: str = "127.0.0.1") -> str:
    """Return the base URL of a port taken with `listen`."""
    return f"http://{host}:{listening.getsockname()[1]}"
