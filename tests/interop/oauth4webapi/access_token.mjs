// An API checks access tokens by itself (RFC 9068), with the proof of those that are bound to a key (RFC 9449).
import * as oauth from 'oauth4webapi'
import { answer, params } from '../dialogue.mjs'
import { as, client, insecure } from './server.mjs'

const DPoP = params.dpop ? oauth.DPoP(client, await oauth.generateKeyPair(params.dpop)) : undefined
const machine = () => oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic(params.client_secret), params.parameters, { DPoP, ...insecure })
const process = async () => oauth.processClientCredentialsResponse(as, client, await machine())
const tokens = await process().catch((error) => {
  if (!oauth.isDPoPNonceError(error)) throw error
  return process()
})
let request
const api = 'http://127.0.0.1/notes'
await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(api), undefined, undefined, {
  DPoP,
  ...insecure,
  [oauth.customFetch]: async (url, { method, headers }) => (request = new Request(url, { method, headers })) && new Response(),
})
answer(await oauth.validateJwtAccessToken(as, request, params.audience, { requireDPoP: Boolean(params.dpop), ...insecure }))
