import type { EventEmitter } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Fifo } from '../async/queue.ts'
import { systemCode } from '../system-errors.ts'

/** Time that one step of a store waits for a file descriptor; then the store fails. @limit ms */
export const DESCRIPTOR_WAIT_MS = 2_000

/** Descriptors that this process may have open; Infinity where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Descriptors that this process has open, without those of files that {@link openFile} has opened. */
export function descriptorsOfOthers(): number {
  try {
    // One of them is that of the listing.
    return readdirSync('/proc/self/fd').length - 1 - held
  } catch (error) {
    // With not one left to look with, all are in use; without a /proc nothing is known.
    return SHORT.has(systemCode(error) ?? '') ? Number.POSITIVE_INFINITY : 0
  }
}

/**
 * Opens a file as `open` does. Where the process has no descriptor left, and other files are open here, it
 * waits for one of those to be closed and tries again, for `DESCRIPTOR_WAIT_MS` at most.
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

/** No descriptor left in the process, or in the system. */
const SHORT: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])
const waiting = new Fifo<() => void>()
/** Files that are open, or are being opened. The process shares its descriptors, whatever mailboxes it has. */
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

/** File handles are event emitters, which Node's types leave out. */
function onClose(handle: FileHandle, listener: () => void): void {
  ;(handle as unknown as EventEmitter).once('close', listener)
}

async function oneIsClosed(waitMs: number): Promise<void> {
  const over = new AbortController()
  const closed = new Promise<void>(resolve => waiting.push(resolve))
  await Promise.race([closed, delay(waitMs, undefined, { signal: over.signal }).catch(() => {})])
  over.abort()
}
