import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Address, type Driver, parseAddress } from 'pilot-dataexchange'
import { startPeer } from './nodes.ts'
import { spawnNode } from './spawn-line.ts'
import { tempDir } from './temp-dir.ts'

/** A node with the service in a process of its own, and a driver that reaches it. */
export interface MeasuredReceiver {
  readonly address: Address
  readonly driver: Driver
  /** Bytes, at most, that its process has had in memory. */
  peak(): number
  /** The SHA-256 of the one file that it has received, 64 hex digits. */
  receivedHash(): Promise<string>
}

/** Starts one, stopped after the test. */
export async function startMeasuredReceiver(t: TestContext): Promise<MeasuredReceiver> {
  const folder = tempDir(t)
  const receivedDir = join(folder, 'received')
  const options = {
    daemon: { socketPath: join(folder, 'a.sock'), directory: join(folder, 'nodes'), hostname: 'a' },
    config: { inboxDir: join(folder, 'inbox'), receivedDir },
  }
  const { child, line } = await spawnNode(t, 'service-child.js', {
    args: [JSON.stringify(options)],
    // A small young generation: what waits for the collector is not what the service holds.
    flags: ['--max-semi-space-size=1'],
  })
  const { driver } = await startPeer(t, folder, 'b')
  return {
    address: parseAddress(JSON.parse(line).address),
    driver,
    peak: () =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
    receivedHash: async () => {
      const [name = '', ...others] = readdirSync(receivedDir).filter(entry => !entry.startsWith('.'))
      assert.deepEqual(others, [])
      const hash = createHash('sha256')
      for await (const piece of createReadStream(join(receivedDir, name), { highWaterMark: 1024 * 1024 }))
        hash.update(piece)
      return hash.digest('hex')
    },
  }
}
