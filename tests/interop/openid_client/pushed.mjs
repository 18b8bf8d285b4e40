// The authorization request goes ahead of the browser (RFC 9126).
import * as client from 'openid-client'
import { answer } from '../dialogue.mjs'
import { login } from './login.mjs'

const addresses = []
const url = async (...request) => {
  addresses.push(await client.buildAuthorizationUrlWithPAR(...request))
  return addresses[0]
}
const tokens = await login({ url })
answer({ tokens, authorization: Object.fromEntries(addresses[0].searchParams) })
