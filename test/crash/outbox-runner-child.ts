// Run as a child: `node outbox-runner-child.js DIR SOCKET`. Runs the outbox in DIR; every peer is the service on SOCKET.
// Lives until it is killed, or its standard input ends.
import { DriverError } from '#lib/errors.js'
import { Outbox } from '#lib/outbox/outbox.js'
import { Address } from '#lib/pilot/address.js'
import { BareStreams } from './bare-streams.js'

const [dir = '', socket = ''] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()
const streams = new BareStreams(socket)
const outbox = await Outbox.open({ dir })
await outbox.run({
  driver: {
    resolve: async () => new Address(0, 0xa),
    dial: () =>
      streams.dial().catch(cause => {
        throw new DriverError('DIAL_FAILED', 'nobody there', { cause })
      }),
  },
  retryMin: 10,
  retryMax: 50,
})
