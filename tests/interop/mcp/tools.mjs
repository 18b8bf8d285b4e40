// An MCP client of the TypeScript SDK, of its first or its second major version: it logs in, and again where a tool needs more.
import { answer, params, visit } from '../dialogue.mjs'

const sdk = params.sdk === 2
  ? await import('@modelcontextprotocol/client')
  : {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    }
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = sdk

const store = {}
const scopes = []
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
  discoveryState: () => store.discovery,
  saveDiscoveryState: (state) => (store.discovery = state),
  redirectToAuthorization: (address) => {
    scopes.push(address.searchParams.get('scope'))
    store.address = address
  },
}
const server = new URL(params.server)
const options = params.version ? { versionNegotiation: { mode: { pin: params.version } } } : {}
let client, transport

async function connect() {
  client = new Client({ name: 'interop', version: '1.0.0' }, options)
  transport = new StreamableHTTPClientTransport(server, { authProvider })
  await client.connect(transport)
}
/** What a step gives, after a login if the server wants one. */
async function loggedIn(step) {
  try {
    return await step()
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error
    const back = (await visit(store.address)).searchParams
    await transport.finishAuth(params.sdk === 2 ? back : back.get('code'))
    await connect()
    return await step()
  }
}
const text = async (name, args) => (await client.callTool({ name, arguments: args })).content[0].text

await loggedIn(connect)
const tools = (await client.listTools()).tools.map((tool) => tool.name)
const before = await text('list_notes', {})
let refused = null
const kept = await loggedIn(() => text('write_note', { text: 'milk' })).catch((error) => (refused = String(error)))
const after = refused ? null : await text('list_notes', {})
await client.close()
answer({ tools, before, kept, after, refused, scopes, client: store.client, granted: store.tokens.scope })
