// How a script and its test talk.
import { hangUp, nextMessage, say } from './lines.mjs'

/** What the developer of this client knows: issuer, client_id, credentials, and what the test adds. */
export const params = await nextMessage()

/** Has the user's browser open an address; gives the request that comes back to the redirect URI, or what page it stays on. */
export async function visit(address) {
  say({ visit: String(address) })
  const { url, form, ...page } = await nextMessage()
  if (form) return new Request(url, { method: 'POST', body: new URLSearchParams(form) })
  return url ? new URL(url) : page
}

/** The script's last word. */
export function answer(what) {
  say({ answer: what })
  if (!new URL(import.meta.url).search) hangUp() // nobody else is to be run in this process
}

/** What an error says that a client can act on. */
export const refusal = ({ error, status, code, message, cause }) => ({ error, status, code, message, cause: String(cause) })
