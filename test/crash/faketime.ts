import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The path of libfaketime, or undefined. */
export const FAKETIME: string | undefined = find()

/** The environment in which a process sees the clock as `spec` has it (see faketime(1)); timers run on. */
export function fakeClock(spec: string, zone = 'UTC'): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: FAKETIME,
    FAKETIME: spec,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    TZ: zone,
  }
}

/** As {@link fakeClock}; the file at `path` has the time, and may be changed while the process runs. */
export function fakeClockFile(path: string, zone = 'UTC'): NodeJS.ProcessEnv {
  const { FAKETIME: _, ...env } = fakeClock('', zone)
  return { ...env, FAKETIME_TIMESTAMP_FILE: path, FAKETIME_NO_CACHE: '1' }
}

function find(): string | undefined {
  const roots = ['/usr/lib', '/usr/lib64']
  const folders = roots.flatMap(root =>
    existsSync(root) ? [root, ...readdirSync(root).map(name => join(root, name))] : [],
  )
  return folders.map(folder => join(folder, 'faketime', 'libfaketimeMT.so.1')).find(existsSync)
}
