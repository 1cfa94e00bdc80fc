import { AsyncLocalStorage } from 'node:async_hooks'
import { runCli } from '#cli/program.js'

/**
 * Runs `pilot-dx` to its end in this process, which takes a twentieth of the time of one of its own. Several may run
 * at once: what each prints is told apart by who has called.
 */
export async function runInProcess(args: readonly string[]): Promise<{ code: number; printed: string }> {
  const told: string[] = []
  capture()
  const code = await printing.run(told, () => runCli(args))
  return { code, printed: told.join('') }
}

const printing = new AsyncLocalStorage<string[]>()
let isCapturing = false

/** Output outside of a command is printed as usual. */
function capture(): void {
  if (isCapturing) return
  isCapturing = true
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    stream.write = (...args: unknown[]) => {
      const told = printing.getStore()
      if (told === undefined) return write(...args)
      told.push(String(args[0]))
      const done = args.at(-1)
      if (typeof done === 'function') done()
      return true
    }
  }
}
