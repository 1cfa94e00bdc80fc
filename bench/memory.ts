import { existsSync, readFileSync } from 'node:fs'

/** The most memory that this process has had in RAM, in MiB. */
export function peakMemory(): number {
  const path = '/proc/self/status'
  if (!existsSync(path)) return process.resourceUsage().maxRSS / 1024
  // Not maxRSS: on Linux a child's begins with that of its parent.
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(path, 'utf8'))?.[1]) / 1024
}
