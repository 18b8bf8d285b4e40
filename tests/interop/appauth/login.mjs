// A native app in AppAuth's own words: discovery, login over a loopback port, userinfo, refresh, revocation.
import { Server } from 'node:http'
import { register } from 'node:module'
import { answer, params } from '../dialogue.mjs'

register('./resolver.mjs', import.meta.url)
const appauth = await import('@openid/appauth')
const { NodeBasedHandler } = await import('@openid/appauth/built/src/node_support/node_request_handler.js')
const { NodeRequestor } = await import('@openid/appauth/built/src/node_support/node_requestor.js')
const { NodeCrypto } = await import('@openid/appauth/built/src/node_support/crypto_utils.js')
appauth.setFlag('IS_LOG', false)
// It would listen to the whole network.
const { listen } = Server.prototype
Server.prototype.listen = function (port) {
  return listen.call(this, port, '127.0.0.1')
}

const { client_id, redirect_uri } = params
const requestor = new NodeRequestor()
const server = await appauth.AuthorizationServiceConfiguration.fetchFromIssuer(params.issuer, requestor)
const handler = new NodeBasedHandler(Number(new URL(redirect_uri).port))
const notifier = new appauth.AuthorizationNotifier()
handler.setAuthorizationNotifier(notifier)
const authorizationRequest = new appauth.AuthorizationRequest({ client_id, redirect_uri, scope: 'openid email offline_access' }, new NodeCrypto())
const { request, response, error } = await new Promise((resolve) => {
  notifier.setAuthorizationListener((request, response, error) => resolve({ request, response, error }))
  handler.performAuthorizationRequest(server, authorizationRequest)
})

const tokens = new appauth.BaseTokenRequestHandler(requestor)
const token = (fields) => tokens.performTokenRequest(server, new appauth.TokenRequest({ client_id, redirect_uri, ...fields }))
const refresh = (refresh_token) => token({ grant_type: appauth.GRANT_TYPE_REFRESH_TOKEN, refresh_token })
if (error) {
  answer({ sentState: authorizationRequest.state, error: error.error, state: error.state })
} else {
  const extras = { code_verifier: request.internal.code_verifier }
  const first = await token({ grant_type: appauth.GRANT_TYPE_AUTHORIZATION_CODE, code: response.code, extras })
  const second = await refresh(first.refreshToken)
  const headers = { Authorization: `Bearer ${second.accessToken}` }
  const userinfo = await requestor.xhr({ url: server.userInfoEndpoint, method: 'GET', dataType: 'json', headers })
  await tokens.performRevokeTokenRequest(server, new appauth.RevokeTokenRequest({ client_id, token: second.refreshToken }))
  const after = await refresh(second.refreshToken).then(() => 'refreshed', (error) => error.message)
  answer({ sentState: authorizationRequest.state, state: response.state, first, second, userinfo, after })
}
