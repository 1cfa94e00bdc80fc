import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { command, HarnessError, scriptPath } from './commands.js'
import { unmount } from './disk.js'

/** An ext4 on a block device that logs every write and flush: nbdkit, nbdfuse, a loop device. */
export class LoggedDisk {
  readonly mountPoint: string
  readonly log: string
  readonly #servers: ChildProcess[] = []
  readonly #device: string
  #loop = ''
  #mounted = false

  private constructor(folder: string) {
    this.mountPoint = join(folder, 'logged')
    this.log = join(folder, 'block.log')
    this.#device = join(folder, 'device')
  }

  /** Resolves when it is mounted, empty. */
  static async start(folder: string, size: number): Promise<LoggedDisk> {
    const disk = new LoggedDisk(folder)
    try {
      await disk.#start(join(folder, 'nbd.sock'), size)
      return disk
    } catch (error) {
      await disk.stop()
      throw error
    }
  }

  /** Takes it apart; the log stays. */
  async stop(): Promise<void> {
    if (this.#mounted) await unmount(this.mountPoint)
    this.#mounted = false
    if (this.#loop !== '') command('losetup', '-d', this.#loop)
    this.#loop = ''
    for (const server of this.#servers.splice(0).reverse()) {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGTERM')
        await once(server, 'exit')
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #start(socket: string, size: number): Promise<void> {
    const plugin = ['python', scriptPath('block-log.py'), `log=${this.log}`, `size=${size}`]
    this.#serve('nbdkit', '--foreground', '--unix', socket, ...plugin)
    await this.#until(() => existsSync(socket))
    writeFileSync(this.#device, '')
    this.#serve('nbdfuse', this.#device, '--unix', socket)
    await this.#until(() => statSync(this.#device).size === size)
    this.#loop = command('losetup', '--find', '--show', this.#device)
    command('mkfs.ext4', '-q', this.#loop)
    mkdirSync(this.mountPoint)
    command('mount', this.#loop, this.mountPoint)
    this.#mounted = true
  }

  #serve(name: string, ...args: string[]): void {
    this.#servers.push(spawn(name, args, { stdio: ['ignore', 'ignore', 'inherit'] }))
  }

  async #until(condition: () => boolean): Promise<void> {
    for (const end = performance.now() + 60_000; !condition(); ) {
      const ended = this.#servers.find(server => server.exitCode !== null)
      if (ended) throw new HarnessError(`${ended.spawnfile} ended with ${ended.exitCode}`)
      if (performance.now() > end) throw new HarnessError('the logging disk does not come up')
      await delay(10)
    }
  }
}
