import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
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

/** Unmounts; who has just been killed may hold it for a moment, on a busy machine a long one. */
export async function unmount(mountPoint: string): Promise<void> {
  const deadline = performance.now() + UNMOUNT_TIMEOUT_MS
  for (;;) {
    try {
      command('umount', mountPoint)
      return
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`${error}; held by: ${holders(mountPoint)}`)
      await delay(20)
    }
  }
}

const UNMOUNT_TIMEOUT_MS = 60_000

/** The processes that have something open under `mountPoint`. */
function holders(mountPoint: string): string {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const lines = pids.flatMap(pid => {
    const paths = openPaths(pid).filter(path => path.startsWith(mountPoint))
    return paths.length === 0 ? [] : [`${pid} ${commandLine(pid)} (${paths.join(', ')})`]
  })
  return lines.join('; ') || 'no process'
}

/** Nothing for a process that has gone meanwhile. */
function openPaths(pid: string): string[] {
  try {
    const links = ['cwd', 'root', ...readdirSync(`/proc/${pid}/fd`).map(fd => `fd/${fd}`)]
    return links.map(link => readlinkSync(`/proc/${pid}/${link}`))
  } catch {
    return []
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

/** XFS takes no less. */
const SIZES: Record<DiskType, number> = { ext4: 128 * 2 ** 20, xfs: 320 * 2 ** 20 }
