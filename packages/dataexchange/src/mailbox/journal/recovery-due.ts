import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { ifExists } from '../../disk/if-exists.ts'
import type { FolderLayout } from '../../disk/layout.ts'
import { journalDir } from '../layout.ts'
import { segmentOwner } from './journal-folder.ts'
import { decodeSegment, MAX_HEADER_SIZE } from './journal-format.ts'

/**
 * Whether the journal has a segment of another boot that no service has recovered yet. Then a missing file may have
 * been lost in a power cut, and come back. True in doubt.
 */
export async function isRecoveryDue(layout: FolderLayout): Promise<boolean> {
  const dir = journalDir(layout)
  const current = bootId()
  try {
    const names = await ifExists(readdir(dir), [])
    const segments = names.filter(name => segmentOwner(name) !== undefined)
    const boots = await Promise.all(segments.map(name => ifExists(bootOf(join(dir, name)), '')))
    return boots.some(boot => boot !== '' && !isSameBoot(boot, current))
  } catch {
    return true
  }
}

/** The boot in the header of the segment, empty if it has none (yet). */
async function bootOf(path: string): Promise<string> {
  if (!(await lstat(path)).isFile()) return ''
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER_SIZE), 0, MAX_HEADER_SIZE)
    return decodeSegment(buffer.subarray(0, bytesRead)).boot
  } finally {
    await handle.close()
  }
}
