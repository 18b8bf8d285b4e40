// Everything that openid-client is told, from the discovery document and the client's own registration.
import { importJWK } from 'jose'
import * as client from 'openid-client'
import { params } from '../dialogue.mjs'

const AUTHENTICATION = {
  none: () => client.None(),
  client_secret_basic: () => client.ClientSecretBasic(params.client_secret),
  client_secret_post: () => client.ClientSecretPost(params.client_secret),
  private_key_jwt: async () => client.PrivateKeyJwt({ key: await importJWK(params.key, params.key.alg), kid: params.key.kid }),
}

const server = new URL(params.issuer)
const metadata = params.metadata ?? {}
const authentication = await AUTHENTICATION[params.method]()
const options = { algorithm: params.algorithm ?? 'oidc', execute: [client.allowInsecureRequests] }

/** The configuration of a client that registers itself first, or of one that is known already. */
export const config = params.initial_access_token
  ? await client.dynamicClientRegistration(server, metadata, authentication, { ...options, initialAccessToken: params.initial_access_token })
  : await client.discovery(server, params.client_id, metadata, authentication, options)
