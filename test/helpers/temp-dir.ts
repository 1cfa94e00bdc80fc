import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A fresh folder with a path short enough for sockets, removed after the test. */
export function tempDir(t: TestContext): string {
  const path = mkdtempSync(join('/tmp', 'pdx-'))
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  return path
}
