import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * Returns the folder that holds `inbox/`, `received/` and `outbox/` unless an option names another place:
 * `$PILOT_HOME`, else `~/.pilot`, as an absolute path. An empty variable counts as unset.
 *
 * @param env @default process.env
 */
export function defaultHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.PILOT_HOME || join(homedir(), '.pilot'))
}
