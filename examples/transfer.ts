import { DeliveryError, Driver, transferFile } from 'pilot-dataexchange'

await using driver = await Driver.connect()
const [target = (await driver.info()).address, path = 'package.json'] = process.argv.slice(2)

// Ctrl-C tells the peer that no more will come. What it has is kept for a while, and not sent again.
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

const transfer = transferFile(driver, target, path, { signal: stop.signal })
try {
  for await (const { bytesDone, total, bytesPerSecond } of transfer.progress()) {
    console.log(`${bytesDone} of ${total} bytes, ${Math.round(bytesPerSecond)} a second`)
  }
  const { transport, verified, bytesResumed, reconnects } = await transfer.result
  console.log(`stored by the peer: ${JSON.stringify({ transport, verified, bytesResumed, reconnects })}`)
} catch (error) {
  // PEER_REFUSED: it has no room, say. CONNECTION_CLOSED: it was lost too often; send it again to go on.
  if (error instanceof DeliveryError) console.error(`${error.code}: ${error.message}`)
  throw error
}
