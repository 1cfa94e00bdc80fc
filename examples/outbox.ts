import { Driver } from 'pilot-dataexchange'
import { Outbox } from 'pilot-dataexchange/outbox'

const target = process.argv[2] ?? 'alice'
const outbox = await Outbox.open()

// Resolves when the message is durable. Delivery is attempted for two days, across restarts.
const expiresInMs = 2 * 24 * 3_600_000
const id = await outbox.add(target, { text: 'The night run is done.' }, { expiresInMs })
console.log(`queued ${id}`)

// Sends all queued messages, also those of earlier runs. The peer and the daemon may be away.
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
await outbox.run({
  driver: () => Driver.connect(),
  signal: stop.signal,
  untilEmpty: true,
  events: { publish: (topic, { id }) => console.log(`${topic} ${id}`) },
})

for (const { id, lastError } of await outbox.list()) console.log(`${id} failed: ${lastError?.message}`)
