import { Driver, Runtime, Service } from 'pilot-dataexchange'

await using driver = await Driver.connect()
await using runtime = new Runtime({ driver })
runtime.register(new Service({ inboxMaxFiles: 1000 }))

// Events come when the message is on the disk.
const received = new Promise<void>(resolve => {
  runtime.events.subscribe('message.received', ({ payload }) => {
    console.log('a message has come:', payload)
    resolve()
  })
})

await runtime.start()
console.log(`listening as ${(await driver.info()).address}`)
await received
