// Token exchange (RFC 8693), for which openid-client has its call for any grant.
import * as client from 'openid-client'
import { answer, params } from '../dialogue.mjs'
import { config } from './configuration.mjs'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const acting = params.delegated ? { actor_token: (await client.clientCredentialsGrant(config)).access_token, actor_token_type: ACCESS_TOKEN } : {}
const exchanged = client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: params.subject_token,
  subject_token_type: ACCESS_TOKEN,
  ...acting,
  ...params.parameters,
})
answer(await exchanged.catch(({ error, status }) => ({ error, status })))
