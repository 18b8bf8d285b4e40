// A resource server asks what tokens are worth (RFC 7662); signed where its registration says so (RFC 9701).
import * as client from 'openid-client'
import { answer, params } from '../dialogue.mjs'
import { config } from './configuration.mjs'

answer(await Promise.all(params.tokens.map((token) => client.tokenIntrospection(config, token))))
