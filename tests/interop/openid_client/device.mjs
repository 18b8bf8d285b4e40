// A device shows a code and polls while its user decides elsewhere (RFC 8628).
import * as client from 'openid-client'
import { answer, visit } from '../dialogue.mjs'
import { config } from './configuration.mjs'

const codes = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access notes:read' })
await visit(codes.verification_uri_complete)
// The user was quicker than the first poll, so there is nothing to wait for.
const tokens = client.pollDeviceAuthorizationGrant(config, { ...codes, interval: 0 })
answer({ codes, tokens: await tokens.catch(({ error }) => ({ error })) })
