#!/usr/bin/env node
import { runCli } from './program.ts'

// A closed pipe (`| head`) is not a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

const exitCode = await runCli(process.argv.slice(2))
// Flushes stdout and stderr before the exit. Open handles do not delay it.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
