// The user leaves by the client's own button (RP-Initiated Logout), and then comes back.
import * as client from 'openid-client'
import { answer, params, visit } from '../dialogue.mjs'
import { config } from './configuration.mjs'
import { login } from './login.mjs'

const { id_token } = await login({ scope: 'openid' })
const state = client.randomState()
const url = client.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri: params.post_logout_redirect_uri, state })
const landing = await visit(url)
const silent = await login({ scope: 'openid', parameters: { prompt: 'none' } }).catch(({ error }) => error)
answer({ id_token, landing: landing.href, state, silent })
