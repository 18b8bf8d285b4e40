"""What browser and system a request comes from, by names of ours: nothing that was sent is ever shown or mailed."""

# The first that a User-Agent has; one that is made of another's engine comes before it, for it says that one's name too.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iOS",
    "iPad": "iPadOS",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Macintosh": "macOS",
    "Linux": "Linux",
}
MAX = 512  # no browser's is as long


def names_of(user_agent: str) -> tuple[str, str]:
    """The browser and the system that a User-Agent header names, "" for one that is not known."""
    return _first(BROWSERS, user_agent[:MAX]), _first(SYSTEMS, user_agent[:MAX])


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for mark, name in names.items() if mark in user_agent), "")
