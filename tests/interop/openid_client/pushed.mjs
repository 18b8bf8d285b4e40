// The authorization request goes ahead of the browser (RFC 9126).
import * as client from 'openid-client'
import { answer } from '../dialogue.mjs'
import { login } from './login.mjs'

const pushed = []
const url = async (...request) => {
  pushed.push(await client.buildAuthorizationUrlWithPAR(...request))
  return pushed[0]
}
const tokens = await login({ url })
answer({ tokens, sent: Object.fromEntries(pushed[0].searchParams) })
