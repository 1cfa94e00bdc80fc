// Run as a child: `node outbox-child.js DIR`. Runs the outbox in DIR on a network where nobody is, until it is killed.
// Prints one line once it does.
import { setTimeout as delay } from 'node:timers/promises'
import { DriverError } from '#lib/errors.js'
import { Outbox } from '#lib/outbox/outbox.js'

const outbox = await Outbox.open({ dir: process.argv[2] ?? '' })
const nobody = async () => {
  throw new DriverError('DIAL_FAILED', 'nobody there')
}
void outbox.run({ driver: { dial: nobody, resolve: nobody }, retryMinMs: 50, retryMaxMs: 100 })
while (!(await outbox.counts()).running) await delay(5)
console.log('running')
