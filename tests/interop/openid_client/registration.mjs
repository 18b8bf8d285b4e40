// A client that registers itself (RFC 7591) and logs a user in.
import { answer } from '../dialogue.mjs'
import { config } from './configuration.mjs'
import { login } from './login.mjs'

const tokens = await login({ scope: 'openid' })
answer({ client: config.clientMetadata(), claims: tokens.claims() })
