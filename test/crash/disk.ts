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
import { command, HarnessError } from './commands.js'

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

  async mount(): Promise<void> {
    await mountImage(this.image, this.mountPoint)
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

/** Mounts the file system in the file `image`. Loop devices are the whole machine's: one may be taken meanwhile. */
export async function mountImage(image: string, mountPoint: string): Promise<void> {
  await insist(() => command('mount', '-o', 'loop', image, mountPoint))
}

/** Unmounts; who has just been killed may hold it for a moment, on a busy machine a long one. */
export async function unmount(mountPoint: string): Promise<void> {
  try {
    await insist(() => command('umount', mountPoint))
  } catch (error) {
    throw new HarnessError(`${error}; held by: ${holders(mountPoint)}`)
  }
}

/** Tries until it succeeds, for a minute at most. */
export async function insist(act: () => void): Promise<void> {
  for (const deadline = performance.now() + INSIST_MS; ; await delay(20)) {
    try {
      act()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}

const INSIST_MS = 60_000

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
