// Everything that openid-client is told, from the discovery document and the client's own registration.
import { importJWK } from 'jose'
import * as client from 'openid-client'
import { told } from '../dialogue.mjs'

const AUTHENTICATION = {
  none: () => client.None(),
  client_secret_basic: () => client.ClientSecretBasic(told.client_secret),
  client_secret_post: () => client.ClientSecretPost(told.client_secret),
  private_key_jwt: async () => client.PrivateKeyJwt({ key: await importJWK(told.key, told.key.alg), kid: told.key.kid }),
}

const server = new URL(told.issuer)
const metadata = told.metadata ?? {}
const authentication = await AUTHENTICATION[told.method]()
const options = { algorithm: told.algorithm ?? 'oidc', execute: [client.allowInsecureRequests] }

/** The configuration of a client that registers itself first, or of one that is known already. */
export const config = told.initial_access_token
  ? await client.dynamicClientRegistration(server, metadata, authentication, { ...options, initialAccessToken: told.initial_access_token })
  : await client.discovery(server, told.client_id, metadata, authentication, options)
