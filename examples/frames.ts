import { Client, Driver, FrameType, Server, typeName, writeFrame } from 'pilot-dataexchange'

const driver = await Driver.connect()

// A server with one handler for every frame, on a port of your choice.
const server = new Server(
  driver,
  async (stream, frame) => {
    const text = `${typeName(frame.type)} of ${frame.payload.length} bytes`
    await writeFrame(stream, { type: FrameType.Text, payload: Buffer.from(text) })
  },
  { port: 2001 },
)
const serving = server.listenAndServe()

const { address } = await driver.info()
const client = new Client(await driver.dial(address, 2001))
await client.sendBinary(Uint8Array.of(1, 2, 3))
const answer = await client.recv()
console.log(String(answer?.payload))

await client.close()
await server.close()
await serving
await driver.close()
