// Run as a child: `node embedded-child.js '<options of EmbeddedDaemon.start as JSON>'`. Prints one line, the address
// or the error's code, and lives until it is killed. The start is held back until the clock shows `at` (ms),
// so that several children start at the same moment.
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { parseAddress } from '#lib/pilot/address.js'

const { at, address, ...options } = JSON.parse(process.argv[2]!)
while (Date.now() < at);
try {
  const daemon = await EmbeddedDaemon.start({
    ...options,
    address: address && parseAddress(address),
  })
  console.log(`${daemon.address} ${daemon.hostname}`)
  setInterval(() => {}, 60_000)
} catch (error) {
  console.log((error as { code: string }).code)
}
