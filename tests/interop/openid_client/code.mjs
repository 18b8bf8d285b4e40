// Authorization code with PKCE, state, nonce and iss; then userinfo.
import * as client from 'openid-client'
import { answer, params, visit } from '../dialogue.mjs'
import { config } from './configuration.mjs'

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const expectedNonce = client.randomNonce()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: params.redirect_uri,
  scope: 'openid profile email',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
  ...params.parameters,
})
const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: params.max_age, idTokenExpected: true }
const back = await visit(url)
try {
  const tokens = await client.authorizationCodeGrant(config, back, checks)
  const claims = tokens.claims()
  answer({ tokens, claims, userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub) })
} catch (error) {
  answer({ error: error.error, description: error.error_description, thrown: `${error.name}: ${error.message}: ${error.cause?.message}` })
}
