import { statfs } from 'node:fs/promises'

/**
 * Checks the free space before a large write, so that a full disk is reported at the start.
 *
 * @throws an error with the code ENOSPC if the disk of `dir` has less than `bytes` free bytes
 */
export async function checkDisk(dir: string, bytes: number): Promise<void> {
  const disk = await statfs(dir).catch(() => undefined)
  // Some file systems do not report their size.
  if (disk === undefined || disk.blocks === 0 || disk.bavail * disk.bsize >= bytes) return
  throw Object.assign(new Error(`the disk has less than ${bytes} free bytes`), { code: 'ENOSPC' })
}
