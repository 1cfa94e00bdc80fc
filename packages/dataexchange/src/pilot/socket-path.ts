import { join } from 'node:path'

/**
 * Where the daemon's socket is unless told otherwise (section 8): `$PILOT_SOCKET`, else
 * `$XDG_RUNTIME_DIR/pilot.sock` on Linux, else `/tmp/pilot.sock`. An empty variable counts as unset.
 *
 * @param env @default process.env
 */
export function defaultSocketPath(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PILOT_SOCKET) return env.PILOT_SOCKET
  if (process.platform === 'linux' && env.XDG_RUNTIME_DIR) return join(env.XDG_RUNTIME_DIR, 'pilot.sock')
  return '/tmp/pilot.sock'
}
