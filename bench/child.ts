import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A script of this folder in a process of its own, which answers requests, one at a time. */
export class Child {
  readonly #process: ChildProcess
  readonly #name: string

  private constructor(process: ChildProcess, name: string) {
    this.#process = process
    this.#name = name
  }

  /** Runs `script`; resolves with the child when it is ready, and with what it said then. */
  static async start<T>(script: string, options: unknown, flags: string[] = []): Promise<[Child, T]> {
    return Child.#fork(script, options, { execArgv: flags })
  }

  /** The same in a network of its own, in which there is nothing but loopback. For Linux. */
  static async startIsolated<T>(script: string, options: unknown): Promise<[Child, T]> {
    const isolated = ['-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'isolated', process.execPath]
    return Child.#fork(script, options, { execPath: 'unshare', execArgv: isolated })
  }

  static async #fork<T>(script: string, options: unknown, how: ForkOptions): Promise<[Child, T]> {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const child = new Child(fork(path, [JSON.stringify(options)], how), script)
    return [child, await child.#reply<T>()]
  }

  /** Sends a request, and resolves with the reply. Rejects where the child reports an error, ends, or takes too long. */
  ask<T>(request: object): Promise<T> {
    this.#process.send(request)
    return this.#reply<T>()
  }

  /** Resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  async #reply<T>(): Promise<T> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(LONGEST_MS)])
    const failed = once(this.#process, 'exit', { signal }).then(([code, killedBy]) => {
      throw new Error(`${this.#name} ended with ${code ?? killedBy}`)
    })
    try {
      const [reply] = await Promise.race([once(this.#process, 'message', { signal }), failed])
      const { error, value } = reply as { error?: string; value: T }
      if (error !== undefined) throw new Error(`${this.#name}: ${error}`)
      return value
    } finally {
      over.abort()
      failed.catch(() => {})
    }
  }
}

/**
 * In a child: says that it is ready, with `value`, and from then on answers every request with what `answer`
 * resolves with. Ends with its parent.
 */
export function serveParent<T>(value: unknown, answer: (request: T) => unknown): void {
  process.on('disconnect', () => process.exit())
  process.on('message', async request => {
    try {
      process.send?.({ value: await answer(request as T) })
    } catch (error) {
      process.send?.({ error: String(error instanceof Error ? error.stack : error) })
    }
  })
  process.send?.({ value })
}

/** No request takes this long: what hangs ends the run. */
const LONGEST_MS = 180_000
