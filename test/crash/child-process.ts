import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A script of this folder in a process of its own, killed where the scope ends. */
export class Child {
  readonly #child: ChildProcess
  /** Resolves when it has ended, by itself or by somebody else. */
  readonly ended: Promise<unknown>
  /** What it prints. */
  readonly lines: Interface

  constructor(script: string, ...args: string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.on('error', () => {})
    this.lines = createInterface({ input: child.stdout })
    this.ended = once(child, 'exit')
    this.#child = child
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
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
