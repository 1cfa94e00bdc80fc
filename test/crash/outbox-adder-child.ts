// Run as a child: `node outbox-adder-child.js DIR COUNT`. Adds COUNT messages to the outbox in DIR, some at once, and
// prints the id of each as soon as that resolves. Lives until it is killed, or its standard input ends.
import { Outbox } from '#lib/outbox/outbox.js'

const [dir = '', count = ''] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()
const outbox = await Outbox.open({ dir })
let next = 0
const adder = async () => {
  while (next < Number(count)) {
    const text = `message ${next++}`
    process.stdout.write(`${await outbox.add('bob', { text })}\n`)
  }
}
console.log('adding')
try {
  await Promise.all(Array.from({ length: 8 }, adder))
  console.log('added')
} catch (error) {
  // The errors of a disk without power.
  console.log(`failed: ${(error as Error).message}`)
}
