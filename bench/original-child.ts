// A daemon of the original's programs, in a process of its own that has a network of its own with nothing in it but a
// registry: those programs know hosts that they must not reach. Run by `Child` with `OriginalOptions`. Ready when it serves.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Driver } from '#lib/pilot/driver.js'
import { processorTicks, TICKS_A_SECOND } from '../test/helpers/processor-ticks.ts'
import { daemonFlags } from '../test/interop/daemon-flags.ts'
import { TestRegistry } from '../test/interop/registry.ts'
import { serveParent } from './child.ts'
import type { Target } from './target.ts'

/** How the daemon is run. */
export interface OriginalOptions {
  /** The folder of `pilot-daemon`. */
  readonly programs: string
  /** Its HOME: an empty folder, or one with an inbox in `.pilot`. */
  readonly home: string
  readonly socket: string
  /** Whether its own data exchange is there; else the port is free. */
  readonly service: boolean
}

const { programs, home, socket, service } = JSON.parse(process.argv[2] ?? '{}') as OriginalOptions
const program = join(programs, 'pilot-daemon')
const registry = await TestRegistry.start()
mkdirSync(join(home, '.pilot'), { recursive: true, mode: 0o700 })
const { address, beacon } = registry
const place = { registry: address, beacon, socket, hostname: 'bench', dir: home }
const flags = [...daemonFlags(program, place), ...(service ? [] : ['-no-dataexchange'])]
// It must not outlive this process.
const daemon = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...flags], {
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { PATH: process.env.PATH, HOME: home },
})
await isRunning(daemon)
const driver = await Driver.connect(socket)
const target: Target = { socket, address: `${(await driver.info()).address}` }
await driver.close()

// Milliseconds of processor time so far, of the daemon and of the system for it.
serveParent(target, () => (processorTicks(daemon.pid!) * 1_000) / TICKS_A_SECOND)

async function isRunning({ stderr }: ChildProcess): Promise<void> {
  const said: string[] = []
  await new Promise<void>((resolve, reject) => {
    const lines = createInterface({ input: stderr! })
    lines.on('line', line => {
      said.push(line)
      if (line.includes('msg="daemon running"')) resolve()
    })
    lines.on('close', () => reject(new Error(`it did not start: ${said.join('\n')}`)))
  })
}
