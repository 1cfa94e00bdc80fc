import { join } from 'node:path'

/**
 * The default path of the daemon's socket: `$PILOT_SOCKET` `[ipc.socket-env]`, else `$XDG_RUNTIME_DIR/pilot.sock` on
 * Linux `[ipc.socket-runtime-dir]`, else `/tmp/pilot.sock` `[ipc.socket-tmp]`. An empty variable counts as unset.
 *
 * @param env @default process.env
 */
export function defaultSocketPath(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PILOT_SOCKET) return env.PILOT_SOCKET
  if (process.platform === 'linux' && env.XDG_RUNTIME_DIR) return join(env.XDG_RUNTIME_DIR, 'pilot.sock')
  return '/tmp/pilot.sock'
}
