import { DeliveryError, Driver, deliver } from 'pilot-dataexchange'

// The Pilot daemon of this machine, or an embedded one (`pilot-dx serve`).
await using driver = await Driver.connect()
const target = process.argv[2] ?? (await driver.info()).address

try {
  const receipt = await deliver(driver, target, { text: 'The report is ready.' })
  console.log(`stored by the peer: ${receipt.answer}`)

  await deliver(driver, target, { json: { task: 'review', pages: [1, 2] } }, { timeoutMs: 10_000 })
  await deliver(driver, target, { file: 'package.json' })
} catch (error) {
  // PEER_REFUSED: it answered ERR. ANSWER_TIMED_OUT, CONNECTION_CLOSED: it may or may not have it.
  if (error instanceof DeliveryError) console.error(`${error.code}: ${error.message}`)
  throw error
}
