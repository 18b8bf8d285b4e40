// What AppAuth calls to open a browser: the person goes there, and the browser follows back to the app's own loopback port.
import { visit } from '../dialogue.mjs'

// The app waits for connections that are kept open before it ends.
const headers = { Connection: 'close' }
export default async (address) => fetch(await visit(address), { headers })
