import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { HarnessError } from './commands.js'
import type { Folders } from './folders.js'

/** Another program that polls the folders all the while. */
export class FolderReader {
  /** How many messages and files it has read. */
  reads = 0
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>

  constructor({ inboxDir, receivedDir }: Folders) {
    const child = fileURLToPath(new URL('reader-child.js', import.meta.url))
    this.#child = fork(child, [inboxDir, receivedDir])
    this.#exit = once(this.#child, 'exit')
  }

  resume(): void {
    this.#child.send('resume')
  }

  /** Resolves, when it has stopped reading, with what it saw since the last pause that was not whole. */
  async pause(): Promise<string[]> {
    this.#child.send('pause')
    const answer = await Promise.race([once(this.#child, 'message'), this.#exit.then(() => undefined)])
    if (answer === undefined) throw new HarnessError('the reader of the folders ended')
    const [{ reads, torn }] = answer as [{ reads: number; torn: string[] }]
    this.reads = reads
    return torn.map(path => `torn, as a reader saw it: ${path}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}
