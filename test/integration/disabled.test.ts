import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluate } from '../helpers/child.ts'
import { startPeer } from '../helpers/nodes.ts'
import { spawnNode } from '../helpers/spawn-line.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const DISABLED = '--conditions=no_dataexchange'

test('[plugin.stub-name] [plugin.stub-chosen] [plugin.stub-idle] under the condition the service is a stub that binds nothing and writes nothing', async t => {
  const folder = tempDir(t)
  const home = join(folder, 'home')
  mkdirSync(home)
  const { daemon, driver } = await startPeer(t, folder, 'a')
  const { child, line } = await spawnNode(t, 'service-child.js', {
    args: [JSON.stringify({ socketPath: daemon.socketPath })],
    env: { HOME: home, XDG_RUNTIME_DIR: home },
    flags: [DISABLED],
  })
  assert.deepEqual(JSON.parse(line), { address: `${daemon.address}`, name: 'dataexchange-disabled' })

  await assert.rejects(driver.dial(daemon.address, 1001), { code: 'DIAL_FAILED' })
  const listener = await driver.listen(1001)
  await listener.close()
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  assert.deepEqual(readdirSync(home), [])
})

test('[plugin.stub-chosen] the stub has the shape of the service, and all else is the same', async () => {
  const source = `
    import * as library from 'pilot-dataexchange'
    const { Service } = library
    const members = Object.getOwnPropertyNames(Service.prototype).sort()
    const service = new Service({ inboxMaxFiles: 1 })
    const { name, order, folders } = service
    console.log(JSON.stringify({ exports: Object.keys(library), members, name, order, folders }))`
  const enabled = (await evaluate(source)) as Record<string, unknown>
  const disabled = await evaluate(source, DISABLED)
  assert.equal(enabled.name, 'dataexchange')
  assert.deepEqual(disabled, { ...enabled, name: 'dataexchange-disabled' })
})
