// Tokens bound to a key (RFC 9449): pushed request, code, refresh and userinfo, with the server's nonces.
import * as client from 'openid-client'
import { answer } from '../dialogue.mjs'
import { config } from './configuration.mjs'
import { login } from './login.mjs'

const keys = await client.randomDPoPKeyPair('ES256')
const DPoP = client.getDPoPHandle(config, keys)
const stranger = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const tokens = await login({ DPoP, url: client.buildAuthorizationUrlWithPAR })
const { sub } = tokens.claims()
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
const userinfo = await client.fetchUserInfo(config, refreshed.access_token, sub, { DPoP })
const refused = async (attempt) => attempt.then(() => 'accepted', (error) => error.error ?? error.cause?.map?.((c) => c.parameters.error).join())
answer({
  tokens,
  refreshed,
  userinfo,
  thumbprint: await DPoP.calculateThumbprint(),
  without: await refused(client.fetchUserInfo(config, refreshed.access_token, sub)),
  strange: await refused(client.fetchUserInfo(config, refreshed.access_token, sub, { DPoP: stranger })),
  stolen: await refused(client.refreshTokenGrant(config, refreshed.refresh_token, undefined, { DPoP: stranger })),
})
