import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FolderWatcher } from '../../disk/folder-watcher.ts'
import { DriverError } from '../../errors.ts'
import { isListening, type PublishedSocket, publishSocket } from '../../socket/socket-file.ts'

/**
 * The lock of the process that runs the outbox: it listens on a socket in the folder. The system closes the socket with the
 * process, so a lock is never stale. Waiting processes hold a connection to the socket, whose end notifies them.
 */
export class RunnerLock {
  readonly #socket: PublishedSocket
  readonly #waiters: Set<Socket>

  private constructor(socket: PublishedSocket, waiters: Set<Socket>) {
    this.#socket = socket
    this.#waiters = waiters
  }

  /**
   * Takes the lock of the outbox in `dir`, or resolves with undefined if a living process has it.
   *
   * @throws {PluginError} CONFIG_INVALID if no socket can be created there, such as with a path over 100 bytes
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

  /** Releases the lock. */
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

/** Options of {@link waitForLock}. */
export interface LockWait {
  readonly watcher: FolderWatcher
  readonly signal: AbortSignal
  /** Whether to stop waiting; called after changes in the folder. */
  isDone(): Promise<boolean>
}

/**
 * Waits for the lock of the outbox in `dir`. Resolves with undefined if the wait ended without it.
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
    // All waiting processes wake at once.
    if (!signal.aborted) await delay(Math.random() * PAUSE_MS)
  }
  return undefined
}

const PAUSE_MS = 20

/** Calls `onFree` once, when no process runs the outbox in `dir`. The returned function ends the wait. */
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
