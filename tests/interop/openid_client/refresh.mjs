// Refresh tokens rotate; whoever lost the answer asks again and gets the same successor.
import * as client from 'openid-client'
import { answer } from '../dialogue.mjs'
import { config } from './configuration.mjs'
import { login } from './login.mjs'

const first = await login()
const second = await client.refreshTokenGrant(config, first.refresh_token)
const again = await client.refreshTokenGrant(config, first.refresh_token)
const narrowed = await client.refreshTokenGrant(config, second.refresh_token, { scope: 'openid' })
const reuse = await client.refreshTokenGrant(config, first.refresh_token).catch((error) => error.error)
const after = await client.refreshTokenGrant(config, narrowed.refresh_token).catch((error) => error.error)
answer({ first, second, again, narrowed, reuse, after })
