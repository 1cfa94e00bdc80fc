import type { Command } from '../commander.ts'
import type { Context, GlobalOptions } from './context.ts'

/** Runs `run` with the context from the global options of `command`. */
export async function act<O>(
  command: Command,
  run: (context: Context, options: O) => Promise<void>,
): Promise<void> {
  const [{ contextOf }, { Output }] = await Promise.all([import('./context.ts'), import('./output.ts')])
  const globals = command.optsWithGlobals<GlobalOptions>()
  await run(contextOf(globals, new Output(globals)), command.opts() as O)
}
