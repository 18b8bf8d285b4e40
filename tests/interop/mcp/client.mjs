// An MCP client that knows the server's address and nothing else: who issues tokens for it, the client finds out.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { answer, params, visit } from '../dialogue.mjs'

const store = {}
const authProvider = {
  redirectUrl: params.redirect_uri,
  clientMetadataUrl: params.document,
  clientMetadata: params.metadata,
  state: () => 'a state',
  clientInformation: () => store.client,
  saveClientInformation: (client) => (store.client = client),
  tokens: () => store.tokens,
  saveTokens: (tokens) => (store.tokens = tokens),
  codeVerifier: () => store.verifier,
  saveCodeVerifier: (verifier) => (store.verifier = verifier),
  redirectToAuthorization: (address) => (store.address = address),
}
const server = new URL(params.server)
const client = () => new Client({ name: 'interop', version: '1.0.0' })
const stranger = new StreamableHTTPClientTransport(server, { authProvider })
await client().connect(stranger).catch((error) => {
  if (!(error instanceof UnauthorizedError)) throw error
})
const back = (await visit(store.address)).searchParams
await stranger.finishAuth(back.get('code'))

const authorized = client()
await authorized.connect(new StreamableHTTPClientTransport(server, { authProvider }))
const whoami = async () => JSON.parse((await authorized.callTool({ name: 'whoami' })).content[0].text)
const first = await whoami()
// To the client a token that has run out and one that is no good are the same: it refreshes.
store.tokens = { ...store.tokens, access_token: 'run out' }
const second = await whoami()
await authorized.close()
answer({ first, second, state: back.get('state'), client: store.client, authorization: Object.fromEntries(store.address.searchParams) })
