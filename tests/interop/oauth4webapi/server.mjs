// What every script here knows of the server: its metadata.
import * as oauth from 'oauth4webapi'
import { params } from '../dialogue.mjs'

/** Loopback has no https. */
export const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(params.issuer)
export const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
export const client = { client_id: params.client_id }
