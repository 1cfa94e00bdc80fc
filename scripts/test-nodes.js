// Runs the compiled tests on every supported line of Node other than this one, on which `npm test` runs them. The npm
// package `node` carries the binaries.
import { spawnSync } from 'node:child_process'

const [current] = process.versions.node.split('.').map(Number)
const LINES = [20, 22, 24, 26].filter(line => line !== current)

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
