import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FolderWatcher } from '../../disk/folder-watcher.ts'
import { DriverError } from '../../errors.ts'
import { isListening, type PublishedSocket, publishSocket } from '../../socket/socket-file.ts'

/**
 * Who runs the outbox: the process that listens on a socket in its folder. The system closes the socket with
 * the process, however that ends, so nothing stale can keep others out; and those who wait hold a connection
 * to it, whose end tells them at once.
 */
export class RunnerLock {
  readonly #socket: PublishedSocket
  readonly #waiters: Set<Socket>

  private constructor(socket: PublishedSocket, waiters: Set<Socket>) {
    this.#socket = socket
    this.#waiters = waiters
  }

  /**
   * Takes the lock of the outbox in `dir`, or resolves with undefined where a living process has it.
   *
   * @throws {PluginError} CONFIG_INVALID where no socket can be made there, as with a path of over 100 bytes
   */
  static async take(dir: string): Promise<RunnerLock | undefined> {
    const waiters = new Set<Socket>()
    try {
      const socket = await publishSocket(lockPath(dir), waiter => {
        waiters.add(waiter)
        waiter.once('close', () => waiters.delete(waiter)).resume()
        waiter.once('end', () => waiter.end())
      })
      return new RunnerLock(socket, waiters)
    } catch (error) {
      if (error instanceof DriverError && error.code === 'SOCKET_IN_USE') return undefined
      throw error
    }
  }

  /** Lets the next one have it. */
  async release(): Promise<void> {
    await this.#socket.unpublish()
    this.#socket.server.close()
    for (const waiter of this.#waiters) waiter.destroy()
  }
}

/** True where a living process runs the outbox in `dir`. */
export function isRunning(dir: string): Promise<boolean> {
  return isListening(lockPath(dir))
}

/** How {@link waitForLock} waits. */
export interface LockWait {
  readonly watcher: FolderWatcher
  readonly signal: AbortSignal
  /** Whether there is nothing to wait for any more; asked when something in the folder has changed. */
  isDone(): Promise<boolean>
}

/**
 * Waits for the lock of the outbox in `dir`; undefined where the wait has ended without it.
 *
 * @throws {PluginError} CONFIG_INVALID
 */
export async function waitForLock(
  dir: string,
  { watcher, signal, isDone }: LockWait,
): Promise<RunnerLock | undefined> {
  while (!signal.aborted) {
    const lock = await RunnerLock.take(dir)
    if (lock !== undefined) return lock
    if (await isDone()) return undefined
    let isFree = false
    const endWait = whenFree(dir, () => {
      isFree = true
      watcher.notify()
    })
    do await watcher.changed({ signal })
    while (!isFree && !signal.aborted && !(await isDone()))
    endWait()
    // All that wait are woken at once.
    if (!signal.aborted) await delay(Math.random() * PAUSE_MS)
  }
  return undefined
}

const PAUSE_MS = 20

/** Calls `onFree` once, when whoever runs the outbox in `dir` has ended, or nobody does. The result ends the wait. */
function whenFree(dir: string, onFree: () => void): () => void {
  const socket = connect({ path: lockPath(dir) })
  socket.on('error', () => {}).once('close', onFree)
  socket.resume()
  return () => {
    socket.off('close', onFree)
    socket.destroy()
  }
}

function lockPath(dir: string): string {
  return join(dir, 'runner')
}
