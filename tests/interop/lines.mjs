// What a process hears and says: a line of JSON each way, over its own input and output.
import { createInterface } from 'node:readline'

const input = createInterface({ input: process.stdin })
const lines = input[Symbol.asyncIterator]()

/** What the test says next; nothing once it is gone. */
export const nextMessage = async () => {
  const { value } = await lines.next()
  return value && JSON.parse(value)
}
export const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')
export const hangUp = () => input.close()
