import { once } from 'node:events'
import { Driver, defaultSocketPath, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'

const { driver, daemon } = await connect()
const runtime = new Runtime({ driver })

// The returned text is sent on the connection of the request. `signal` aborts when the asker has gone.
const service = new Service({
  answer: async ({ text, from }, signal) => {
    signal.throwIfAborted()
    return `${from} asked: ${text}`
  },
})
runtime.register(service)

try {
  await runtime.start()
  console.log(`answering as ${(await driver.info()).address}`)
  await once(process, 'SIGINT')
} finally {
  await runtime.stop()
  await driver.close()
  await daemon?.close()
}

/** Connects to the Pilot daemon of this machine. If there is none, starts an embedded one. */
async function connect() {
  try {
    return { driver: await Driver.connect() }
  } catch {
    const daemon = await EmbeddedDaemon.start({ socketPath: defaultSocketPath() })
    return { driver: await Driver.connect(), daemon }
  }
}
