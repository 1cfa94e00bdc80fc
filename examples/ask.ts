import { Driver, ReplyWatch, request, resolveTarget } from 'pilot-dataexchange'

await using driver = await Driver.connect()
const peer = process.argv[2] ? await resolveTarget(driver, process.argv[2]) : (await driver.info()).address

// Watches this node's inbox from before the request is sent: a peer that does not answer on the connection
// keeps the request as a message, and may reply with a message of its own.
await using replies = await ReplyWatch.start(peer)

const { reply, receipt } = await request(driver, peer, 'What is left to do?')
if (reply !== undefined) {
  console.log(`answered at once: ${reply}`)
} else {
  console.log(`stored by the peer: ${receipt.answer}`)
  const { data } = await replies.reply({ ...receipt, timeoutMs: 60_000 })
  console.log(`answered later: ${data}`)
}
