import { Client, Driver, FrameType, Server, typeName, writeFrame } from 'pilot-dataexchange'

await using driver = await Driver.connect()

// A server of your own: one handler for every frame, on a port of your choice.
await using server = new Server(
  driver,
  async (stream, frame) => {
    const text = `${typeName(frame.type)} of ${frame.payload.length} bytes`
    await writeFrame(stream, { type: FrameType.Text, payload: Buffer.from(text) })
  },
  { port: 2001 },
)
const serving = server.listenAndServe()

const { address } = await driver.info()
await using client = new Client(await driver.dial(address, 2001))
await client.sendBinary(Uint8Array.of(1, 2, 3))
const answer = await client.recv()
console.log(String(answer?.payload))

await server.close()
await serving
