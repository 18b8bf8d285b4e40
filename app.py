from chalice.app import Chalice

from chalicelib.guard import functions as guard
from chalicelib.web.api import accounts as account
from chalicelib.web.http.middleware import middleware
from chalicelib.web.jobs import key_rotation as rotation
from chalicelib.web.metadata import discovery
from chalicelib.web.oauth import introspection, login_requests, registration, token, userinfo
from chalicelib.web.pages import authorize, device, logout
from chalicelib.web.pages import login as pages

app = Chalice(app_name="latchkey")
app.api.binary_types = []  # all that comes and goes is text; Chalice would look through its list three times a request
app.register_middleware(middleware, "http")
app.register_blueprint(account.bp)
app.register_blueprint(token.bp)
app.register_blueprint(login_requests.bp)
app.register_blueprint(introspection.bp)
app.register_blueprint(userinfo.bp)
app.register_blueprint(pages.bp)
app.register_blueprint(authorize.bp)
app.register_blueprint(device.bp)
app.register_blueprint(registration.bp)
app.register_blueprint(logout.bp)
app.register_blueprint(discovery.bp)
app.register_blueprint(guard.bp)
app.register_blueprint(rotation.bp)
