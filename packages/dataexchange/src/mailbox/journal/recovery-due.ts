import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { ifThere } from '../../disk/if-exists.ts'
import type { FolderLayout } from '../../disk/layout.ts'
import { journalDir } from '../layout.ts'
import { segmentOwner } from './journal-folder.ts'
import { decodeSegment, LONGEST_HEADER } from './journal-format.ts'

/**
 * Whether the journal of a folder has a segment of another boot of the machine, which no service has looked through
 * since: what is missing in the folder may be what a power cut has taken, and come back. True where it cannot be told.
 */
export async function isRecoveryDue(layout: FolderLayout): Promise<boolean> {
  const dir = journalDir(layout)
  const current = bootId()
  try {
    const names = await ifThere(readdir(dir), [])
    const segments = names.filter(name => segmentOwner(name) !== undefined)
    const boots = await Promise.all(segments.map(name => ifThere(bootOf(join(dir, name)), '')))
    return boots.some(boot => boot !== '' && !isSameBoot(boot, current))
  } catch {
    return true
  }
}

/** Empty where it is no segment, or one that is just being made. */
async function bootOf(path: string): Promise<string> {
  if (!(await lstat(path)).isFile()) return ''
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER)
    return decodeSegment(buffer.subarray(0, bytesRead)).boot
  } finally {
    await handle.close()
  }
}
