import { existsSync, readdirSync, statfsSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** The machine of the measurements. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryMiB: number
  readonly node: string
  readonly system: string
  /** The file system of the data folder. */
  readonly fileSystem: string
  /** At the start: processes that wanted a core, over 1, 5 and 15 minutes. */
  readonly load: readonly number[]
  readonly startedAt: string
}

/** Looks at this machine, and at the file system of `dir`. */
export function lookAtMachine(dir: string): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    system: `${process.platform} ${release()} ${process.arch}`,
    fileSystem: fileSystemOf(dir),
    load: loadavg().map(load => Number(load.toFixed(2))),
    startedAt: new Date().toISOString(),
  }
}

function fileSystemOf(dir: string): string {
  const { type } = statfsSync(dir)
  const name = NAMES[type] ?? `type 0x${type.toString(16)}`
  if (name !== 'ext4' || !existsSync('/proc/fs')) return name
  // Its journal is most of what a sync costs. Every journal of this machine is listed there.
  const journals = existsSync('/proc/fs/jbd2') ? readdirSync('/proc/fs/jbd2') : []
  return journals.length === 0 ? NO_JOURNAL : 'ext4'
}

/**
 * Whether files that were deleted make the creation of others slow for a minute, fifty-fold and at random places:
 * without a journal ext4 must not give an inode away that was freed a moment ago, and looks at each.
 */
export function deletionsSlowCreations(dir: string): boolean {
  return fileSystemOf(dir) === NO_JOURNAL
}

const NO_JOURNAL = 'ext4 without a journal'

/** The numbers that statfs() gives for what is usual. */
const NAMES: Readonly<Record<number, string>> = {
  61267: 'ext4',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
  26985: 'nfs',
  26: 'apfs',
}
