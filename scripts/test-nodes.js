// Runs the compiled tests on every supported line of Node; the npm package `node` carries the binaries.
import { spawnSync } from 'node:child_process'

const LINES = [20, 22, 24, 26]

for (const line of LINES) {
  const node = ['-y', '-p', `node@${line}`, 'node']
  const version = spawnSync('npx', [...node, '--version'], { encoding: 'utf8' }).stdout.trim()
  console.log(`\n== Node ${version}`)
  if (!version.startsWith(`v${line}.`)) {
    console.error(`node@${line} could not be had`)
    process.exit(1)
  }
  const { status } = spawnSync('npx', [...node, 'scripts/run-tests.js', ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
