import { Driver, ReplyWatch, request, resolveTarget } from 'pilot-dataexchange'

const driver = await Driver.connect()
const peer = process.argv[2] ? await resolveTarget(driver, process.argv[2]) : (await driver.info()).address

// A peer without an answer hook stores the request as a message and may reply with a message later.
// The watch starts before the request is sent, so it cannot miss that reply.
const replies = await ReplyWatch.start(peer)

try {
  const { reply, receipt } = await request(driver, peer, 'What is left to do?')
  if (reply !== undefined) {
    console.log(`answered at once: ${reply}`)
  } else {
    console.log(`stored by the peer: ${receipt.answer}`)
    const { data } = await replies.reply({ ...receipt, timeoutMs: 60_000 })
    console.log(`answered later: ${data}`)
  }
} finally {
  await replies.close()
  await driver.close()
}
