import * as client from 'openid-client'
import { answer, params } from '../dialogue.mjs'
import { config } from './configuration.mjs'

const DPoP = params.dpop ? client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) : undefined
const tokens = client.clientCredentialsGrant(config, params.parameters, { DPoP })
// A 401 comes with a challenge, of which the library tells more than of the body.
answer(await tokens.catch(async ({ status, response }) => ({ status, error: (await response.json()).error })))
