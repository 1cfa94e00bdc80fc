import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The program, as it is built. */
export const MAIN = join(process.cwd(), 'packages', 'pilot-dx', 'dist', 'main.js')

/** The result of a finished command. */
export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A home folder, and a command line that knows no other. All of it ends with the test. */
export class Sandbox {
  /** Holds all the rest; its path is short, since a socket's must be. */
  readonly dir: string
  readonly home: string
  readonly socket: string
  readonly env: NodeJS.ProcessEnv
  readonly #running: Running[] = []

  constructor(t: { after(end: () => Promise<void>): void }) {
    const dir = mkdtempSync(join(tmpdir(), 'dx-'))
    t.after(async () => {
      for (const running of this.#running) running.child.kill('SIGKILL')
      await Promise.all(this.#running.map(running => running.done))
      rmSync(dir, { recursive: true, force: true })
    })
    this.dir = dir
    this.home = join(dir, '.pilot')
    this.socket = join(dir, 'pilot.sock')
    this.env = { ...process.env, HOME: dir, XDG_RUNTIME_DIR: dir, TMPDIR: dir }
  }

  /** Runs `pilot-dx` to its end, with `input` on stdin. */
  async run(args: readonly string[], input: string | Uint8Array = ''): Promise<Finished> {
    const child = this.spawn(process.execPath, [MAIN, ...args], { timeout: 20_000 })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
    return finished(child)
  }

  /** Runs `pilot-dx --json`, and returns the `data` of its answer. Throws where it failed. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  async ok(args: readonly string[], input?: string | Uint8Array): Promise<any> {
    const { code, stdout, stderr } = await this.run(['--json', ...args], input)
    if (code !== 0) throw new Error(`${args.join(' ')}: exit code ${code}: ${stderr}`)
    const lines = stdout.trimEnd().split('\n')
    const { status, data } = JSON.parse(lines[0] ?? '')
    if (lines.length !== 1 || status !== 'ok') throw new Error(`${args.join(' ')}: ${stdout}`)
    return data
  }

  /** Runs `pilot-dx --json`, which must fail, and returns what it told and its exit code. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into
  async fails(args: readonly string[], input?: string | Uint8Array): Promise<any> {
    const { code, stdout, stderr } = await this.run(['--json', ...args], input)
    // The log lines of serve come first.
    const { status, ...error } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
    if (code === 0 || status !== 'error') throw new Error(`${args.join(' ')}: did not fail: ${stdout}`)
    return { exit: code, ...error }
  }

  /** Starts `pilot-dx` and does not wait for its end. */
  start(args: readonly string[], nodeFlags: readonly string[] = [], main: string = MAIN): Running {
    return this.startProgram(process.execPath, [...nodeFlags, main, ...args])
  }

  /** Starts any program in this environment. */
  startProgram(program: string, args: readonly string[]): Running {
    const running = new Running(this.spawn(program, args))
    this.#running.push(running)
    return running
  }

  protected spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn(program, args, { env: this.env, ...options })
  }
}

/** A command that runs. */
export class Running {
  readonly child: ChildProcess
  /** Its end. */
  readonly done: Promise<Finished>
  readonly #lines: string[] = []
  readonly #errorLines: string[] = []
  #wake: (() => void)[] = []
  #ended = false

  constructor(child: ChildProcess) {
    this.child = child
    this.#collect(child.stdout, this.#lines)
    this.#collect(child.stderr, this.#errorLines)
    this.done = finished(child)
    void this.done.then(() => {
      this.#ended = true
      this.#wakeAll()
    })
  }

  /** The first line of stdout that `pattern` matches. Throws where the process ends without it. */
  line(pattern: RegExp): Promise<string> {
    return this.#find(this.#lines, pattern)
  }

  /** The same for stderr. */
  errorLine(pattern: RegExp): Promise<string> {
    return this.#find(this.#errorLines, pattern)
  }

  async #find(lines: readonly string[], pattern: RegExp): Promise<string> {
    for (;;) {
      const line = lines.find(line => pattern.test(line))
      if (line !== undefined) return line
      if (this.#ended) {
        const told = [...this.#lines, ...this.#errorLines].join('\n')
        throw new Error(`ended without ${pattern}: ${told}`)
      }
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
  }

  #collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
    if (stream === null) return
    createInterface({ input: stream }).on('line', line => {
      into.push(line)
      this.#wakeAll()
    })
  }

  #wakeAll(): void {
    for (const resume of this.#wake.splice(0)) resume()
  }
}

async function finished(child: ChildProcess): Promise<Finished> {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', chunk => stdout.push(chunk))
  child.stderr?.on('data', chunk => stderr.push(chunk))
  const [code, signal] = await once(child, 'close')
  return { code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}
