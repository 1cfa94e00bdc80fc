import { readFileSync } from 'node:fs'

/** The user and system time of the process `pid` so far, in hundredths of a second. Linux only. */
export function processorTicks(pid: number): number {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Its name, in brackets, may have spaces.
  const fields = status.slice(status.lastIndexOf(') ')).split(' ')
  return Number(fields[12]) + Number(fields[13])
}

/** The unit of Linux for programs. */
export const TICKS_A_SECOND = 100
