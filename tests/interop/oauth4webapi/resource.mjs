// From a resource to its authorization server, as a client does that knows only the resource (RFC 9728, RFC 8414).
import * as oauth from 'oauth4webapi'
import { answer, told } from '../dialogue.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }
const at = new URL(told.resource)
const resource = await oauth.processResourceDiscoveryResponse(at, await oauth.resourceDiscoveryRequest(at, insecure))
const issuer = new URL(resource.authorization_servers[0])
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
answer({ resource, server: await oauth.processDiscoveryResponse(issuer, found) })
