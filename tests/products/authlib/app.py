"""A site with the recipe's client: it says who is logged in, by the id token, and if that has no address by userinfo."""

from client import oauth
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route


async def login(request):
    """Send the browser away."""
    return await oauth.latchkey.authorize_redirect(request, request.url_for("callback"))


async def callback(request):
    """Redeem the code, and say whose it was."""
    token = await oauth.latchkey.authorize_access_token(request)
    user = token["userinfo"]
    if "email" not in user:
        user = await oauth.latchkey.userinfo(token=token)
    refreshed = await oauth.latchkey.fetch_access_token(
        grant_type="refresh_token", refresh_token=token["refresh_token"]
    )
    return JSONResponse({"email": user["email"], "name": user["name"], "scope": refreshed["scope"]})


app = Starlette(
    routes=[Route("/login", login), Route("/callback", callback)],
    middleware=[Middleware(SessionMiddleware, secret_key="only for tests")],
)
