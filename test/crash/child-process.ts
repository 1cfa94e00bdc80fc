import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A script of this folder in a process of its own, killed where the scope ends. */
export class Child {
  readonly #child: ChildProcess
  /** Resolves when it has ended, by itself or by somebody else, and all that it printed has been read. */
  readonly ended: Promise<unknown>
  /** Its output. Lines that nobody listens for yet are gone: several may come at once. */
  readonly lines: Interface

  constructor(script: string, ...args: string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.on('error', () => {})
    this.lines = createInterface({ input: child.stdout })
    this.ended = once(child, 'close')
    this.#child = child
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * Resolves with the first line from now on that matches `pattern`, with undefined where it ends before. To be asked for
   * before what has to be done for that line.
   */
  async line(pattern = /^/): Promise<string | undefined> {
    const found = new Promise<string>(resolve => {
      this.lines.on('line', line => pattern.test(line) && resolve(line))
    })
    return Promise.race([found, this.ended.then(() => undefined)])
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
