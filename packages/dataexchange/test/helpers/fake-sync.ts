import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { replaceHandle } from './faulty-fs.js'
import { tempDir } from './temp-mailbox.js'

/** The reason to skip a test of `sync -f`, or false. */
export const NOT_LINUX: string | false = process.platform !== 'linux' && 'sync -f needs Linux'

/** Puts a command `sync` into PATH that logs its arguments and runs `script`. Returns a function that reads the log. */
export async function fakeSync(t: TestContext, script: string): Promise<() => Promise<string[]>> {
  const dir = await tempDir(t)
  const path = join(dir, 'sync')
  await writeFile(path, `#!/bin/sh\necho "$@" >> "${dir}/calls"\n${script}\n`)
  await chmod(path, 0o700)
  setPath(t, [dir, process.env.PATH].join(delimiter))
  const read = () => readFile(join(dir, 'calls'), 'utf8').catch(() => '')
  return async () => (await read()).split('\n').slice(0, -1)
}

/** Sets PATH until the test ends. */
export function setPath(t: TestContext, path: string): void {
  const before = process.env.PATH
  process.env.PATH = path
  t.after(() => {
    process.env.PATH = before
  })
}

/** Counts the calls of fdatasync. */
export async function countSyncs(t: TestContext): Promise<{ files: number }> {
  const count = { files: 0 }
  await replaceHandle(t, 'datasync', real => async () => {
    count.files++
    return real()
  })
  return count
}
