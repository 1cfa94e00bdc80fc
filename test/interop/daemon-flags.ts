import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** The network addresses of a daemon of the original. */
export interface DaemonPlace {
  /** The registry and the beacon, as `host:port`. */
  readonly registry: string
  readonly beacon: string
  readonly socket: string
  readonly hostname: string
  /** A folder for its identity. */
  readonly dir: string
}

/** The flags of `pilot-daemon`, which is the file `program`, for a node on this machine only. */
export function daemonFlags(
  program: string,
  { registry, beacon, socket, hostname, dir }: DaemonPlace,
): string[] {
  return [
    ...['-registry', registry, '-beacon', beacon, '-socket', socket, '-hostname', hostname],
    ...['-listen', '127.0.0.1:0', '-endpoint', '127.0.0.1:9', '-identity', join(dir, 'identity.json')],
    // Older versions do not start without an address of their owner.
    ...['-trust-auto-approve', '-email', 'node@example.invalid', ...quietFlags(program)],
  ]
}

/** Flags that switch off features which these tests do not use, if this version has them. */
function quietFlags(program: string): string[] {
  const { stderr } = spawnSync(program, ['-help'], { encoding: 'utf8' })
  return ['-motd-feed-url=', '-telemetry-url=', '-no-skillinject'].filter(flag =>
    stderr.includes(`  ${flag.replace('=', '')}`),
  )
}
