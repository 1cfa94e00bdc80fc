import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs `source` as a module in a process of its own, and returns what it printed, read as JSON. */
export async function evaluate(source: string, ...flags: string[]): Promise<unknown> {
  const args = [...flags, '--input-type=module', '--eval', source]
  const { stdout } = await run(process.execPath, args, { timeout: 30_000 })
  return JSON.parse(stdout)
}
