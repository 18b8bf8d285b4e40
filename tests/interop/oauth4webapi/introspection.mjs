// A signed introspection answer (RFC 9701), verified as evidence that is to be kept.
import * as oauth from 'oauth4webapi'
import { answer, told } from '../dialogue.mjs'
import { as, client, insecure } from './server.mjs'

const authentication = oauth.ClientSecretBasic(told.client_secret)
const granted = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, insecure)
const { access_token } = await oauth.processClientCredentialsResponse(as, client, granted)
const response = await oauth.introspectionRequest(as, client, authentication, access_token, { requestJwtResponse: true, ...insecure })
const type = response.headers.get('content-type')
const worth = await oauth.processIntrospectionResponse(as, client, response)
await oauth.validateApplicationLevelSignature(as, response, insecure)
answer({ type, worth })
