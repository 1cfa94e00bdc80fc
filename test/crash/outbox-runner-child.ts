// Run as a child: `node outbox-runner-child.js DIR SOCKET`. Runs the outbox in DIR; every peer is the service on SOCKET.
// Lives until it is killed, or its standard input ends.
import { Outbox } from '#lib/outbox/outbox.js'
import { SocketStreams } from '../helpers/socket-streams.js'

const [dir = '', socket = ''] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()
const outbox = await Outbox.open({ dir })
await outbox.run({ driver: new SocketStreams(socket), retryMinMs: 10, retryMaxMs: 50 })
