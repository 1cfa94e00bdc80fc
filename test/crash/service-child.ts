// Run as a child: `node service-child.js '<JSON: of each service its ServiceConfig and, as "socket" or "daemon", where to
// serve>' [SEGMENT_BYTES]`, see `ServiceOptions`. Prints one line once it serves all of them, and lives until its standard input ends, or it is killed.
import { execFileSync } from 'node:child_process'
import { keepYoungGenerationSmall } from '#cli/shared/young-generation.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import type { Streams } from '#lib/pilot/transport.js'
import { EventBus } from '#lib/plugin/events.js'
import { Service } from '#lib/service/service.js'
import { SERVER_ADDRESS as address, SocketStreams } from '../helpers/socket-streams.js'

// As `pilot-dx serve` does.
keepYoungGenerationSmall()
process.stdin.on('end', () => process.exit()).resume()
const [, , config = '[]', segmentBytes] = process.argv
if (segmentBytes !== undefined) Object.assign(FIXED_LIMITS.journalSegment, { value: Number(segmentBytes) })
const services: { socket: string; daemon?: string }[] = JSON.parse(config)
await Promise.all(
  services.map(async ({ socket, daemon, ...config }) => {
    const streams = daemon === undefined ? new SocketStreams(socket) : await connect(daemon)
    limitDescriptors()
    await new Service(config).start({
      streams,
      identity: { nodeId: address.node, address },
      resolver: { resolve: async () => address },
      events: new EventBus(),
      logger: { debug() {}, info() {}, warn() {}, error: (_, message) => console.error(message) },
    })
  }),
)
console.log('serving')

/** Limits the open files of this process to the number in the variable DESCRIPTORS. */
function limitDescriptors(): void {
  const { DESCRIPTORS } = process.env
  if (DESCRIPTORS === undefined) return
  execFileSync('prlimit', [`--nofile=${DESCRIPTORS}:${DESCRIPTORS}`, '--pid', `${process.pid}`])
}

/** Loaded where it is needed only: this process is started thousands of times. */
async function connect(path: string): Promise<Streams> {
  const { Driver } = await import('#lib/pilot/driver.js')
  return Driver.connect(path)
}
