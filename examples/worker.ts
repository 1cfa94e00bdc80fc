import { Driver, deliver } from 'pilot-dataexchange'
import { InboxConsumer } from 'pilot-dataexchange/mailbox'

await using driver = await Driver.connect()
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

// Several of these may run: each message goes to one of them, and to another one if that one dies.
const inbox = await InboxConsumer.open({ group: 'answers', leaseMs: 30_000 })
console.log(`working through ${inbox.dir}`)

for await (const message of inbox.messages({ signal: stop.signal })) {
  try {
    if (message.data.endsWith('?')) {
      const replyTo = message.messageId
      await deliver(driver, message.from, { text: 'I shall find out.' }, { replyTo })
    }
    await message.ack()
  } catch (error) {
    // It comes again in ten seconds; after five tries it is among inbox.dead().
    console.error(`${message.id}, try ${message.attempt}:`, error)
    await message.nack(10_000)
  }
}
