import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { PYTHON } from './commands.js'
import { FAKETIME } from './faketime.js'
import type { Need } from './row.js'

/** Why `need` is not there, or undefined where it is. */
export function lacking(need: Need): string | undefined {
  return CHECKS[need]()
}

const CHECKS: Record<Need, () => string | undefined> = {
  linux: () => unless(process.platform === 'linux', 'this is not Linux'),
  root: () => unless(process.getuid?.() === 0, 'it needs root'),
  strace: () => command('strace'),
  python: () => unless(existsSync(PYTHON), `${PYTHON} is not installed`),
  prlimit: () => command('prlimit'),
  loop: () => unless(existsSync('/dev/loop-control'), 'the kernel has no loop devices'),
  ext4: () => command('mkfs.ext4') ?? fileSystem('ext4'),
  xfs: () => command('mkfs.xfs') ?? fileSystem('xfs'),
  nbdkit: () =>
    command('nbdkit') ??
    unless(spawnSync('nbdkit', ['python', '--dump-plugin']).status === 0, 'nbdkit has no python plugin'),
  nbdfuse: () => command('nbdfuse') ?? unless(existsSync('/dev/fuse'), 'the kernel has no FUSE'),
  faketime: () => unless(FAKETIME !== undefined, 'libfaketime is not installed'),
}

function unless(holds: boolean, reason: string): string | undefined {
  return holds ? undefined : reason
}

function command(name: string): string | undefined {
  const found = spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
  return unless(found, `${name} is not installed`)
}

function fileSystem(name: string): string | undefined {
  if (readFileSync('/proc/filesystems', 'utf8').includes(`\t${name}\n`)) return undefined
  const loaded = spawnSync('modprobe', [name]).status === 0
  return unless(loaded, `the kernel has no ${name}`)
}
