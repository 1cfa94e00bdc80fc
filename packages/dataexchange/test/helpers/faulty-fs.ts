import syncFs from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'

export type Call = (...args: unknown[]) => Promise<unknown>
type SyncCall = (...args: unknown[]) => unknown

/** Replaces a function of node:fs/promises, also for the library, until the test ends. */
export function replaceFs(
  t: TestContext,
  name: 'link' | 'unlink' | 'open' | 'lstat',
  make: (real: Call) => Call,
): void {
  const real = (fs[name] as Call).bind(fs)
  t.mock.method(fs, name, make(real) as never)
  exportThem(t)
}

/** Replaces a function of node:fs, also for the library, until the test ends. */
export function replaceSyncFs(
  t: TestContext,
  name: 'linkSync' | 'openSync' | 'writeSync' | 'fdatasyncSync',
  make: (real: SyncCall) => SyncCall,
): void {
  const real = (syncFs[name] as SyncCall).bind(syncFs)
  t.mock.method(syncFs, name, make(real) as never)
  exportThem(t)
}

function exportThem(t: TestContext): void {
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
}

/** Replaces a method of every file handle until the test ends. */
export async function replaceHandle(
  t: TestContext,
  name: 'write' | 'writev' | 'datasync' | 'sync' | 'close',
  make: (real: Call) => Call,
): Promise<void> {
  const handle = await fs.open(process.execPath)
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  const real = prototype[name] as Call
  t.mock.method(prototype, name, function (this: unknown, ...args: unknown[]) {
    return make(real.bind(this))(...args)
  })
  t.after(() => t.mock.restoreAll())
}

/** Makes the next `times` calls of a method of file handles fail. */
export async function failHandles(t: TestContext, name: 'datasync' | 'write', times: number): Promise<void> {
  let left = times
  await replaceHandle(t, name, real => async (...args) => {
    if (left-- > 0) throw failure('EIO')
    return real(...args)
  })
}

/** An error like those of the file system. */
export function failure(code: string): Error {
  return Object.assign(new Error(`${code}: planted`), { code })
}
