// From a resource to its authorization server, as a client does that knows only the resource (RFC 9728, RFC 8414).
import * as oauth from 'oauth4webapi'
import { answer, params } from '../dialogue.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }
const at = new URL(params.resource)
const resource = await oauth.processResourceDiscoveryResponse(at, await oauth.resourceDiscoveryRequest(at, insecure))
const issuer = new URL(resource.authorization_servers[0])
const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
answer({ resource, server: await oauth.processDiscoveryResponse(issuer, response) })
