// A signed introspection answer (RFC 9701), verified as evidence that is to be kept.
import * as oauth from 'oauth4webapi'
import { answer, params } from '../dialogue.mjs'
import { as, client, insecure } from './server.mjs'

const authentication = oauth.ClientSecretBasic(params.client_secret)
const tokenResponse = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, insecure)
const { access_token } = await oauth.processClientCredentialsResponse(as, client, tokenResponse)
const response = await oauth.introspectionRequest(as, client, authentication, access_token, { requestJwtResponse: true, ...insecure })
const type = response.headers.get('content-type')
const claims = await oauth.processIntrospectionResponse(as, client, response)
await oauth.validateApplicationLevelSignature(as, response, insecure)
answer({ type, claims })
