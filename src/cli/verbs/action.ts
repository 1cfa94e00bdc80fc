import type { Command } from 'commander'
import type { Context, GlobalOptions } from '../context.ts'
import { Output } from '../output.ts'

/** Runs `run` with the context that the global options of `command` make. */
export async function act<O>(
  command: Command,
  run: (context: Context, options: O) => Promise<void>,
): Promise<void> {
  const { contextOf } = await import('../context.ts')
  const globals = command.optsWithGlobals<GlobalOptions>()
  await run(contextOf(globals, new Output(globals)), command.opts() as O)
}
