import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A tool of a row has failed, not its subject: the row shows nothing. */
export class HarnessError extends Error {
  override readonly name = 'HarnessError'
}

/** Runs a command to its end; throws, with what it said, where it fails. */
export function command(name: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: 'utf8' })
  if (status === 0) return stdout.trim()
  throw new HarnessError(`${name} ${args.join(' ')}: ${error?.message ?? stderr}`)
}

/** The path of a script in Python; the compiler leaves those where the sources are. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../../test/crash/${name}`, import.meta.url))
}

/** Debian's own, which has nothing in front of it that would make it slow to start. */
export const PYTHON = '/usr/bin/python3'
