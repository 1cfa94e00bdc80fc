// Run as a child: `node half-frame-child.js <socket> <address>`. Sends the first half of a FILE frame and of a
// large TEXT frame to port 1001 of the address, each on a stream of its own. Prints one line when that is
// written, and lives until it is killed.
import { once } from 'node:events'
import { Driver, parseAddress } from 'pilot-dataexchange'

const [socket, address] = process.argv.slice(2) as [string, string]
const driver = await Driver.connect(socket)
for (const type of [4, 1]) {
  const stream = await driver.dial(parseAddress(address), 1001)
  const header = Buffer.alloc(8)
  header.writeUInt32BE(type, 0)
  header.writeUInt32BE(2_000_000, 4)
  const name = Buffer.from('\0\x08half.bin')
  if (!stream.write(Buffer.concat([header, name, Buffer.alloc(1_000_000, 'x')]))) await once(stream, 'drain')
}
console.log('written')
setInterval(() => {}, 60_000)
