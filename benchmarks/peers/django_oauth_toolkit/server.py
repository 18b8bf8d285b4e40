"""django-oauth-toolkit as its tutorial has it: password, refresh (which rotates), client_credentials, introspection.

The rest is what `django-admin startproject` writes, but DEBUG, and with connections to the database that stay open.
"""

import base64
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

PASSWORD, SECRET = "correct horse battery staple", "bridges-and-harbours"
urlpatterns: list[Any] = []


def configure(scratch: str) -> None:
    """Set Django up, its database new."""
    settings.configure(
        SECRET_KEY="bench" * 10,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            *(
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
                "django.contrib.messages",
            ),
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(scratch, "django_oauth_toolkit.sqlite3")),
                "CONN_MAX_AGE": None,
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        # It would log at each login that the password grant is on its way out.
        LOGGING={"version": 1, "loggers": {"oauth2_provider": {"level": "ERROR"}}},
        OAUTH2_PROVIDER={"SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect"}},
    )
    django.setup()
    call_command("migrate", verbosity=0)


def basic_of(application: Any) -> str:
    """A client's credentials for RFC 6749 section 2.3.1."""
    return base64.b64encode(f"{application.client_id}:{SECRET}".encode()).decode()


def make(scratch: str) -> tuple[Any, dict[str, Any]]:
    """The app, and what is asked of it."""
    from worker import Wsgi

    configure(scratch)
    urlpatterns.append(path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")))
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    for number in range(40):
        User.objects.create_user(f"ann{number}", password=PASSWORD)
    users, machines = (
        Application.objects.create(
            name=grant, client_type="confidential", authorization_grant_type=grant, client_secret=SECRET
        )
        for grant in ("password", "client-credentials")
    )
    client, of_users, of_machines = Wsgi(get_wsgi_application()), basic_of(users), basic_of(machines)
    calls = iter(range(10**9))

    def token(basic: str, **form: str) -> Any:
        return client.post("/o/token/", form=form, basic=basic)

    def log_in() -> Any:
        return token(of_users, grant_type="password", username=f"ann{next(calls) % 40}", password=PASSWORD)

    session = log_in()

    def refresh() -> None:
        session.update(token(of_users, grant_type="refresh_token", refresh_token=session["refresh_token"]))

    def client_credentials() -> Any:
        return token(of_machines, grant_type="client_credentials", scope="read")

    machine_token = client_credentials()["access_token"]

    def introspect() -> None:
        answer = client.post("/o/introspect/", form={"token": machine_token}, basic=of_machines)
        assert answer["active"], answer

    operations = {"login": log_in, "refresh": refresh, "client_credentials": client_credentials}
    return client, {**operations, "introspect": introspect}
