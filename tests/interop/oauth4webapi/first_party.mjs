// A first-party app asks for the password itself (draft-ietf-oauth-first-party-apps) and redeems its code like any other.
import * as oauth from 'oauth4webapi'
import { answer, params } from '../dialogue.mjs'
import { as, client, insecure } from './server.mjs'

const verifier = oauth.generateRandomCodeVerifier()
const challenge = async (fields) => {
  const body = new URLSearchParams({ client_id: params.client_id, ...fields })
  const response = await fetch(as.authorization_challenge_endpoint, { method: 'POST', body })
  return { status: response.status, ...(await response.json()) }
}
const request = {
  response_type: 'code',
  scope: 'openid offline_access',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
}
const first = await challenge(request)
const second = await challenge({ auth_session: first.auth_session, email: params.email, password: params.password })
const redemption = { code: second.authorization_code, code_verifier: verifier }
const response = await oauth.genericTokenEndpointRequest(as, client, oauth.None(), 'authorization_code', redemption, insecure)
const tokens = await oauth.processGenericTokenEndpointResponse(as, client, response)
answer({ first, tokens, claims: oauth.getValidatedIdTokenClaims(tokens) })
