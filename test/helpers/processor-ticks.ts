import { readFileSync } from 'node:fs'

/** What the process `pid` has taken of the processors so far, and the system for it, in hundredths of a second. Linux only. */
export function processorTicks(pid: number): number {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Its name, in brackets, may have spaces.
  const fields = status.slice(status.lastIndexOf(') ')).split(' ')
  return Number(fields[12]) + Number(fields[13])
}

/** Of Linux, in what it tells programs. */
export const TICKS_A_SECOND = 100
