import { Driver, deliver } from 'pilot-dataexchange'
import { InboxConsumer } from 'pilot-dataexchange/mailbox'

const driver = await Driver.connect()
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

// Run as many of these as you like. A message is leased to one of them; if that one dies, another gets it.
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
    // Delivered again in ten seconds. After five attempts the message is in inbox.dead().
    console.error(`${message.id}, attempt ${message.attempt}:`, error)
    await message.nack(10_000)
  }
}
await driver.close()
