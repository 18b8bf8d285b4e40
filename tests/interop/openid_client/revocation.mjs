import * as client from 'openid-client'
import { answer, params } from '../dialogue.mjs'
import { config } from './configuration.mjs'
import { login } from './login.mjs'

const tokens = await login()
await client.tokenRevocation(config, 'not a token')
await client.tokenRevocation(config, tokens[params.kind], { token_type_hint: params.kind })
await client.tokenRevocation(config, tokens[params.kind])
answer({
  refresh: await client.refreshTokenGrant(config, tokens.refresh_token).catch(({ error }) => error),
  userinfo: await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck).catch((error) => error.cause?.[0]?.parameters?.error ?? error.error),
})
