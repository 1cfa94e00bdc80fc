import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { command } from './commands.js'

export type DiskType = 'ext4' | 'xfs'

/** A file system of its own, in an image file on a loop device. */
export class Disk {
  readonly image: string
  readonly mountPoint: string
  readonly #type: DiskType
  #mounted = false

  constructor(folder: string, type: DiskType) {
    this.image = join(folder, `${type}.img`)
    this.mountPoint = join(folder, type)
    this.#type = type
    mkdirSync(this.mountPoint)
  }

  /** Makes it empty; it must not be mounted. */
  format(): void {
    const file = openSync(this.image, 'w')
    ftruncateSync(file, SIZES[this.#type])
    closeSync(file)
    command(`mkfs.${this.#type}`, '-q', this.image)
  }

  mount(): void {
    command('mount', '-o', 'loop', this.image, this.mountPoint)
    this.#mounted = true
  }

  async unmount(): Promise<void> {
    if (!this.#mounted) return
    await unmount(this.mountPoint)
    this.#mounted = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount()
  }
}

/** Unmounts; who has just been killed may hold it for a moment. */
export async function unmount(mountPoint: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      command('umount', mountPoint)
      return
    } catch (error) {
      if (attempt === 50) throw error
      await delay(20)
    }
  }
}

/** XFS takes no less. */
const SIZES: Record<DiskType, number> = { ext4: 128 * 2 ** 20, xfs: 320 * 2 ** 20 }
