// One Node for many scripts, for its start and the libraries' cost more than a flow: each script is run as if it were the first.
import { register } from 'node:module'
import { nextMessage, say } from './lines.mjs'

register('./anew.mjs', import.meta.url)
let number = 0
for (let message; (message = await nextMessage()); ) {
  try {
    await import(`./${message.script}?run=${++number}`)
    say({ ended: true })
  } catch (error) {
    say({ ended: false, error: String(error?.stack ?? error) })
  }
}
process.exit() // whatever a script has left open
