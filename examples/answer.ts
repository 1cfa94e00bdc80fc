import { once } from 'node:events'
import { Driver, Runtime, Service } from 'pilot-dataexchange'

await using driver = await Driver.connect()
await using runtime = new Runtime({ driver })

// Each request is answered on the connection it came on. `signal` fires when nobody waits any more.
const service = new Service({
  answer: async ({ text, from }, signal) => {
    signal.throwIfAborted()
    return `${from} asked: ${text}`
  },
})
runtime.register(service)

await runtime.start()
console.log(`answering as ${(await driver.info()).address}`)
await once(process, 'SIGINT')
