import assert from 'node:assert/strict'
import { type ChildProcess, type SpawnOptions, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Driver } from '#lib/pilot/driver.js'
import { type Running, Sandbox } from '../helpers/cli.js'
import { daemonFlags } from './daemon-flags.js'
import { HomeRecord } from './recording/home-record.js'
import { recorderOf } from './recording/recorder.js'
import { TestRegistry } from './registry.js'

/** The folder of the original's programs. */
export const PROGRAMS: string = process.env.PILOT_ORIGINAL ?? ''

assertIsolated()

/**
 * True before version 1.18.0: what came between is not asked of those. Tried with 1.7.2 and 1.12.3.
 */
export const IS_OLD: boolean = isOlderThan(1, 18)

/** True for a service that knows message ids and answers ERR to an unknown type: seen from 1.13.11 on. */
export const KNOWS_IDS: boolean = !isOlderThan(1, 13)

/** A home folder for the original's programs and for ours. Nothing in it knows a registry but the one given. */
export function originalBox(
  t: TestContext,
  registry = { address: '127.0.0.1:1', beacon: '127.0.0.1:1' },
): Box {
  return new Box(t, registry)
}

/** The result of `pilotctl --json` or `pilot-dx --json`. */
export interface Outcome {
  code: number | null
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  data: any
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  error: any
}

class Box extends Sandbox {
  readonly #registry: { address: string; beacon: string }
  readonly #record: HomeRecord | undefined

  constructor(t: TestContext, registry: { address: string; beacon: string }) {
    super(t)
    this.#registry = registry
    const recorder = recorderOf(t)
    this.#record = recorder === undefined ? undefined : new HomeRecord(recorder, this)
    // The default socket of pilotctl does not heed XDG_RUNTIME_DIR in every version.
    this.env.PILOT_SOCKET = this.socket
    this.env.PILOT_REGISTRY = registry.address
    this.env.PILOT_BEACON = registry.beacon
    for (const name of Object.keys(this.env)) if (/_proxy$/i.test(name)) delete this.env[name]
  }

  /** Runs `pilotctl --json` to its end. */
  async pilotctl(...args: string[]): Promise<Outcome> {
    return outcome(this.startPilotctl(...args))
  }

  /** Starts `pilotctl --json` and does not wait for its end. */
  startPilotctl(...args: string[]): Running {
    return this.startProgram(join(PROGRAMS, 'pilotctl'), ['--json', ...args])
  }

  /** The same; it must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  async pilotctlOk(...args: string[]): Promise<any> {
    const { code, data, error } = await this.pilotctl(...args)
    assert.equal(code, 0, `pilotctl ${args.join(' ')}: ${JSON.stringify(error)}`)
    return data
  }

  /** Runs `pilotctl` as a person would; it must succeed. */
  async pilotctlText(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.startProgram(join(PROGRAMS, 'pilotctl'), args).done
    assert.equal(code, 0, `pilotctl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Starts the original's daemon, once its socket answers. */
  async daemon(hostname: string, ...flags: string[]): Promise<Running> {
    const { address, beacon } = this.#registry
    const program = join(PROGRAMS, 'pilot-daemon')
    const { socket, dir } = this
    const place = { registry: address, beacon, socket, hostname, dir }
    this.#record?.daemonStarts(flags)
    const daemon = this.startProgram(program, [...daemonFlags(program, place), ...flags])
    await daemon.errorLine(/msg="daemon running"/)
    return daemon
  }

  /** `pilot-dx serve`, once it runs. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  async serve(...flags: string[]): Promise<{ running: Running; data: any }> {
    const running = this.start(['serve', '--json', ...flags])
    const { data } = JSON.parse(await running.line(/"status":"ok"/))
    this.#record?.serves(data)
    return { running, data }
  }

  /** A driver of ours on this box's socket. */
  async driver(t: TestContext): Promise<Driver> {
    const driver = await Driver.connect(this.#record?.driverSocket() ?? this.socket)
    t.after(() => driver.close())
    return driver
  }

  /** Makes a file in this box's folder, and gives its path. */
  write(name: string, content: Uint8Array): string {
    this.#record?.fileWritten(name, content)
    const path = join(this.dir, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, content)
    return path
  }

  /** The messages in the inbox, oldest first. */
  messages(): Record<string, unknown>[] {
    return this.inboxNames().map(name => JSON.parse(readFileSync(join(this.home, 'inbox', name), 'utf8')))
  }

  /** Their file names, in the same order. */
  inboxNames(): string[] {
    return filesIn(join(this.home, 'inbox')).sort((a, b) => (order(a) < order(b) ? -1 : 1))
  }

  /** The received files, by name. */
  files(): Map<string, Buffer> {
    const folder = join(this.home, 'received')
    return new Map(filesIn(folder).map(name => [name, readFileSync(join(folder, name))]))
  }

  protected override spawn(program: string, args: readonly string[], options?: SpawnOptions): ChildProcess {
    const started = this.#record?.programStarts(program, args)
    const child = super.spawn(program, args, { ...options, ...(started && { env: started.env }) })
    started?.watch(child)
    return child
  }
}

export type { Box }

/** Resolves with the result of a program with `--json` when it has ended. */
export async function outcome(program: Running): Promise<Outcome> {
  const { code, stdout, stderr } = await program.done
  return { code, data: parsed(stdout)?.data, error: parsed(stderr) }
}

/** Two of the original's daemons that trust each other, and the registry that knows both. */
export async function twoNodes(
  t: TestContext,
  flags: { a?: string[]; b?: string[] } = {},
): Promise<{ a: Box; b: Box; daemonA: Running; daemonB: Running }> {
  const registry = await TestRegistry.start()
  t.after(() => registry.close())
  const [a, b] = [originalBox(t, registry), originalBox(t, registry)]
  for (const box of [a, b]) mkdirSync(box.home, { mode: 0o700 })
  const [daemonA, daemonB] = [
    await a.daemon('anna', ...(flags.a ?? [])),
    await b.daemon('bert', ...(flags.b ?? [])),
  ]
  await a.pilotctlOk('handshake', 'bert', 'test')
  const isTrusting = async (box: Box) => (await box.pilotctlOk('trust')).trusted?.length === 1
  await until(async () => (await isTrusting(a)) && (await isTrusting(b)))
  return { a, b, daemonA, daemonB }
}

/** Asks until the answer is yes. For what other programs do, and tell nobody. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `not so within ${timeoutMs} ms: ${isSo}`)
    await sleep(20)
  }
}

/** Whether the programs are older than this version. Programs before the numbered versions print `dev`. */
export function isOlderThan(major: number, minor: number): boolean {
  const { stdout } = spawnSync(join(PROGRAMS, 'pilotctl'), ['version'], { encoding: 'utf8' })
  const version = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? process.env.INTEROP_VERSION ?? ''
  const [, first = '0', second = '0'] = /^(\d+)\.(\d+)\./.exec(version) ?? []
  return Number(first) < major || (Number(first) === major && Number(second) < minor)
}

/** The original's programs look for hosts of their own: they run where nothing but loopback exists. */
function assertIsolated(): void {
  const outward = Object.values(networkInterfaces())
    .flat()
    .filter(net => net?.internal === false)
  assert.deepEqual(outward, [], 'run with npm run test:interop, which shuts the network off')
}

/** Both services make their folders when they need them. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)
}

/** The number of a message, by which they sort; the oldest versions have nothing but the time. */
function order(name: string): string {
  const [, time = '', number = ''] = /-(\d{8}-\d{6}\.\d+)(?:-(\d{6,}))?\.json$/.exec(name) ?? []
  return number.padStart(9, '0') + time
}

// biome-ignore lint/suspicious/noExplicitAny: what a program printed
function parsed(text: string): any {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')
  } catch {
    return undefined
  }
}
