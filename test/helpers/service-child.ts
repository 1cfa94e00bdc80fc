// Run as a child: `node service-child.js '{"daemon"?, "socketPath"?, "config"?}'`. Runs the service, configured
// with `config`, on the daemon at `socketPath`, or on one of its own, with the options `daemon`. Prints one line,
// JSON of its address, the service's name and its folders, and lives until SIGTERM stops it.
import { Driver, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'

const { daemon: daemonOptions, socketPath, config } = JSON.parse(process.argv[2]!)
const daemon = daemonOptions && (await EmbeddedDaemon.start(daemonOptions))
const driver = await Driver.connect(daemon?.socketPath ?? socketPath)
const service = new Service(config)
const runtime = new Runtime({ driver })
runtime.register(service)
await runtime.start()
const { address } = await driver.info()
console.log(JSON.stringify({ address, name: service.name, folders: service.folders }))

const alive = setInterval(() => {}, 60_000)
process.once('SIGTERM', async () => {
  clearInterval(alive)
  await runtime.stop()
  await driver.close()
  await daemon?.close()
})
