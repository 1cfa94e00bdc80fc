// Run as a child with a channel: `abused-child.js '<ServiceConfig and, as "socket", where to serve, as JSON>'`. Tells
// when it serves; then answers 'status' and 'stop'. Lives until it has stopped, is killed, or its parent ends.
import { setTimeout as delay } from 'node:timers/promises'
import { EventBus } from '#lib/plugin/events.js'
import { Service } from '#lib/service/service.js'
import { SERVER_ADDRESS as SERVER, SocketStreams } from '../helpers/socket-streams.js'

const { socket, ...config } = JSON.parse(process.argv[2] ?? '{}')
const service = new Service(config)
const log = (_: unknown, message: string) => console.error(message)
await service.start({
  streams: new SocketStreams(socket),
  identity: { nodeId: SERVER.node, address: SERVER },
  resolver: { resolve: async () => SERVER },
  events: new EventBus(),
  logger: { debug() {}, info() {}, warn() {}, error: log },
})
process.on('disconnect', () => process.exit())
process.on('message', async message => {
  if (message === 'stop') {
    await service.stop()
    process.send?.('stopped', () => process.exit())
  } else {
    // Twice, with a pause: what finalizers release is seen too.
    globalThis.gc?.()
    await delay(50)
    globalThis.gc?.()
    process.send?.({ heapUsed: process.memoryUsage().heapUsed, refusals: service.refusals })
  }
})
process.send?.('serving')
