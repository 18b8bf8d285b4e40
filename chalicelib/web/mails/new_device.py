import time
from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.errors import TooManyRequests
from ...domain.records.outbox import Mail, NewDeviceMail
from ...flows.platform import limits
from ...flows.sessions import known_devices, new_device
from ...services import Services
from .mail import Contents, MailKind, texts


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if not isinstance(mail, NewDeviceMail):
        return None
    try:
        limits.new_device_mail(svc, user)
    except TooManyRequests:
        return None
    query = urlencode({"token": new_device.link(svc, mail), "ui_locales": mail.language})
    values = {
        "device": device_name(mail.language, mail.browser, mail.system),
        "network": mail.network,
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(mail.at)),
    }
    return Contents(f"{svc.settings.issuer}/account/end-session?{query}", values=values)


def device_name(language: str, browser: str, system: str) -> str:
    """A device in words, as far as its browser and system are known."""
    known = "_".join(name for name, value in (("browser", browser), ("system", system)) if value) or "unknown"
    return texts(language)[f"new_device.{known}"].format(browser=browser, system=system)


MAIL = MailKind(known_devices.MAIL, _contents)
