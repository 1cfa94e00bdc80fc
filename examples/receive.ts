import { once } from 'node:events'
import { Driver, defaultSocketPath, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'

const { driver, daemon } = await connect()
const runtime = new Runtime({ driver })
runtime.register(new Service({ inboxMaxFiles: 1000 }))

// The event is published once the message is durable.
runtime.events.subscribe('message.received', ({ payload: { type, from, size } }) => {
  console.log(`${type} from ${from}, ${size} bytes`)
})

try {
  await runtime.start()
  console.log(`listening as ${(await driver.info()).address}`)
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
