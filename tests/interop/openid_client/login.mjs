// A code login for the scripts whose matter begins after it.
import * as client from 'openid-client'
import { params, visit } from '../dialogue.mjs'
import { config } from './configuration.mjs'

/** The tokens of a new login; `url` makes the address that the browser is sent to. */
export async function login({ scope = 'openid offline_access notes:read', url = client.buildAuthorizationUrl, parameters = {}, ...options } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const code_challenge = await client.calculatePKCECodeChallenge(pkceCodeVerifier)
  const request = { redirect_uri: params.redirect_uri, scope, state: expectedState, code_challenge, code_challenge_method: 'S256' }
  const back = await visit(await url(config, { ...request, ...parameters }, options))
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState }, undefined, options)
}
