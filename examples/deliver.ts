import { DeliveryError, Driver, deliver } from 'pilot-dataexchange'

// Needs a daemon: the Pilot daemon of this machine, or the embedded one of `npx pilot-dx serve`.
const driver = await Driver.connect()
const target = process.argv[2] ?? (await driver.info()).address

try {
  const receipt = await deliver(driver, target, { text: 'The report is ready.' })
  console.log(`stored by the peer: ${receipt.answer}`)

  await deliver(driver, target, { json: { task: 'review', pages: [1, 2] } }, { answerTimeoutMs: 10_000 })
  await deliver(driver, target, { file: 'package.json' })
} catch (error) {
  // PEER_REFUSED: the peer answered ERR and stored nothing.
  // ANSWER_TIMED_OUT, CONNECTION_CLOSED: the peer may have stored the message.
  if (error instanceof DeliveryError) console.error(`${error.code}: ${error.message}`)
  throw error
} finally {
  await driver.close()
}
