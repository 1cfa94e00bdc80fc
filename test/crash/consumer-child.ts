// Run as a child: `node consumer-child.js '<ConsumerOptions and "log", "seed", "faithful" as JSON>'`. Works through an
// inbox until it is killed, and writes what it does into the log, a line of JSON each. One that is not faithful
// forgets messages, gives some back, and keeps some for too long.
import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { InboxConsumer } from '#lib/mailbox/consumers/inbox-consumer.js'
import type { LeasedMessage } from '#lib/mailbox/consumers/leased-message.js'
import { Random } from './random.js'

const { log, seed, faithful, ...options } = JSON.parse(process.argv[2] ?? '{}')
const random = new Random(seed)
const consumer = await InboxConsumer.open(options)
console.log('working')

/** Messages at work at once. */
const HANDS = 3
const work = new Set<Promise<void>>()
for await (const message of consumer.messages()) {
  const { id, attempt, leaseUntil } = message
  note('given', { id, attempt, start: leaseUntil - options.leaseMs, end: leaseUntil, now: now() })
  const done: Promise<void> = handle(message).finally(() => work.delete(done))
  work.add(done)
  if (work.size >= HANDS) await Promise.race(work)
}

async function handle(message: LeasedMessage): Promise<void> {
  const { id, attempt } = message
  const mood = faithful ? 1 : random.next()
  try {
    if (mood < 0.05) return
    if (mood < 0.12) {
      note('giving back', { id, attempt })
      return await message.nack(random.integer(0, 50))
    }
    if (mood < 0.2) {
      await message.extend()
      note('extended', { id, attempt, end: message.leaseUntil })
    }
    await delay(mood < 0.25 ? options.leaseMs + random.integer(0, 100) : random.integer(0, 5))
    await message.ack()
    note('acknowledged', { id, now: Date.now() })
  } catch (error) {
    // Its lease ran out before it came to extending it or giving it back.
    if ((error as { code?: string }).code !== 'LEASE_LOST') throw error
  }
}

function note(what: string, fields: object): void {
  appendFileSync(log, `${JSON.stringify({ what, ...fields })}\n`)
}

/** As precise as it gets, ms since the Unix epoch. */
function now(): number {
  return performance.timeOrigin + performance.now()
}
