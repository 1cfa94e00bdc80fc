#!/usr/bin/env node
import { runCli } from './program.ts'

// A reader that has seen enough (`| head`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

const exitCode = await runCli(process.argv.slice(2))
// What was written must be out before the process ends; what is still open does not keep it.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
