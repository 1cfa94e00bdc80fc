import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { bootId } from '#lib/disk/boot-id.js'

/**
 * Has what the journal of `inboxDir` holds be of an earlier boot of the machine, as after a power cut. Its writer
 * must have ended or use another folder: a copied folder is a possible state after a power cut.
 */
export function pretendReboot(inboxDir: string): void {
  const dir = join(inboxDir, '.journal')
  const segments = existsSync(dir) ? readdirSync(dir).filter(name => name.endsWith('.log')) : []
  for (const name of segments) {
    const path = join(dir, name)
    const header = readFileSync(path).subarray(0, 128).toString('latin1').split('\n', 1)[0] ?? ''
    // One that the power cut short before its header was written says nothing of a boot.
    if (!header.endsWith(bootId())) continue
    const fd = openSync(path, 'r+')
    try {
      writeSync(fd, otherBootId(), header.length - bootId().length)
    } finally {
      closeSync(fd)
    }
  }
}

/** That of a boot which is not this one. */
export function otherBootId(): string {
  const boot = bootId()
  const at = boot.length - 5
  return `${boot.slice(0, at)}${boot[at] === '0' ? '1' : '0'}${boot.slice(at + 1)}`
}
