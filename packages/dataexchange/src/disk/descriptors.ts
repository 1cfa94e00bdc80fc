import type { EventEmitter } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Fifo } from '../async/queue.ts'
import { systemCode } from '../system-errors.ts'

/** Time that one step of a store waits for a file descriptor; then the store fails. @limit ms */
export const DESCRIPTOR_WAIT_MS = 2_000

/** Returns the number of file descriptors that this process may open; Infinity if the system does not report it. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Returns the number of open file descriptors of this process, without those of {@link openFile}. */
export function descriptorsOfOthers(): number {
  try {
    // One of them belongs to the listing itself.
    return readdirSync('/proc/self/fd').length - 1 - held
  } catch (error) {
    // If no descriptor is left for the listing, all are in use. Without /proc the number is unknown.
    return SHORT.has(systemCode(error) ?? '') ? Number.POSITIVE_INFINITY : 0
  }
}

/**
 * Opens a file as `open` does. If the process has no descriptor left and other files of this function are open, it
 * waits until one of them is closed and tries again, for at most `DESCRIPTOR_WAIT_MS`.
 */
export async function openFile(path: string, flags: string, mode?: number): Promise<FileHandle> {
  const deadline = performance.now() + DESCRIPTOR_WAIT_MS
  for (;;) {
    try {
      const handle = await opening(path, flags, mode)
      onClose(handle, () => {
        held--
        waiting.shift()?.()
      })
      return handle
    } catch (error) {
      const left = deadline - performance.now()
      if (!SHORT.has(systemCode(error) ?? '') || held === 0 || left <= 0) throw error
      await oneIsClosed(left)
    }
  }
}

/** The errors for no descriptor left in the process, or in the system. */
const SHORT: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])
const waiting = new Fifo<() => void>()
/** Files that are open or being opened, in all mailboxes of the process: they share its descriptors. */
let held = 0

async function opening(path: string, flags: string, mode: number | undefined): Promise<FileHandle> {
  held++
  try {
    return await open(path, flags, mode)
  } catch (error) {
    held--
    throw error
  }
}

/** File handles are event emitters, but the types of Node omit that. */
function onClose(handle: FileHandle, listener: () => void): void {
  ;(handle as unknown as EventEmitter).once('close', listener)
}

async function oneIsClosed(waitMs: number): Promise<void> {
  const over = new AbortController()
  const closed = new Promise<void>(resolve => waiting.push(resolve))
  await Promise.race([closed, delay(waitMs, undefined, { signal: over.signal }).catch(() => {})])
  over.abort()
}
