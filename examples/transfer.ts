import { DeliveryError, Driver, transferFile } from 'pilot-dataexchange'

const driver = await Driver.connect()
const [target = (await driver.info()).address, path = 'package.json'] = process.argv.slice(2)

// Ctrl-C ends the transfer. The peer keeps the bytes that it has, so the next run sends only the rest.
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

try {
  const transfer = transferFile(driver, target, path, { signal: stop.signal })
  for await (const { bytesDone, total, bytesPerSecond } of transfer.progress()) {
    console.log(`${bytesDone} of ${total} bytes, ${Math.round(bytesPerSecond)} per second`)
  }
  const { transport, verified, bytesResumed, reconnects } = await transfer.result
  console.log(`stored by the peer: ${JSON.stringify({ transport, verified, bytesResumed, reconnects })}`)
} catch (error) {
  // PEER_REFUSED: for example, its folder is full. CONNECTION_CLOSED: too many reconnects; run it again to resume.
  if (error instanceof DeliveryError) console.error(`${error.code}: ${error.message}`)
  throw error
} finally {
  await driver.close()
}
