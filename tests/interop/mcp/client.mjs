// An MCP client that knows the server's address and nothing else: who issues tokens for it, the client finds out.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { answer, told, visit } from '../dialogue.mjs'

const kept = {}
const authProvider = {
  redirectUrl: told.redirect_uri,
  clientMetadataUrl: told.document,
  clientMetadata: told.metadata,
  state: () => 'a state',
  clientInformation: () => kept.client,
  saveClientInformation: (client) => (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => (kept.verifier = verifier),
  redirectToAuthorization: (address) => (kept.address = address),
}
const server = new URL(told.server)
const client = () => new Client({ name: 'interop', version: '1.0.0' })
const stranger = new StreamableHTTPClientTransport(server, { authProvider })
await client().connect(stranger).catch((error) => {
  if (!(error instanceof UnauthorizedError)) throw error
})
const back = (await visit(kept.address)).searchParams
await stranger.finishAuth(back.get('code'))

const known = client()
await known.connect(new StreamableHTTPClientTransport(server, { authProvider }))
const whoami = async () => JSON.parse((await known.callTool({ name: 'whoami' })).content[0].text)
const first = await whoami()
// To the client a token that has run out and one that is no good are the same: it refreshes.
kept.tokens = { ...kept.tokens, access_token: 'run out' }
const second = await whoami()
await known.close()
answer({ first, second, state: back.get('state'), client: kept.client, asked: Object.fromEntries(kept.address.searchParams) })
