import { statfs } from 'node:fs/promises'

/**
 * A disk that is full is told at the start, not after most has been written.
 *
 * @throws an error with the code ENOSPC where the disk of `dir` has no room for `bytes`
 */
export async function checkDisk(dir: string, bytes: number): Promise<void> {
  const disk = await statfs(dir).catch(() => undefined)
  // Some file systems tell nothing.
  if (disk === undefined || disk.blocks === 0 || disk.bavail * disk.bsize >= bytes) return
  throw Object.assign(new Error(`the disk has no room for ${bytes} bytes`), { code: 'ENOSPC' })
}
