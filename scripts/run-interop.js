// Runs the tests against the original's programs: `PILOT_ORIGINAL=<folder> node scripts/run-interop.js [text ...]`.
// The folder holds pilotctl and pilot-daemon; the Python SDK is taken from the package around it, where there is one.
// All of it runs in a network namespace with nothing but loopback, since those programs know hosts of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const folder = process.env.PILOT_ORIGINAL
if (!folder) skip('PILOT_ORIGINAL names no folder with the programs of the original')
const missing = ['pilotctl', 'pilot-daemon'].filter(name => !existsSync(join(folder, name)))
if (missing.length > 0) skip(`${folder} has no ${missing.join(' and no ')}`)

const isolate = ['-rnm', 'sh', '-c', 'ip link set lo up && exec "$@"', 'isolated']
if (spawnSync('unshare', [...isolate, 'true']).status !== 0) {
  skip(
    'no network namespace can be made here (unshare -rnm, ip), and the programs must not reach the network',
  )
}

const wanted = process.argv.slice(2)
const files = readdirSync(join('test', 'interop'))
  .filter(name => name.endsWith('.interop.ts'))
  .filter(name => wanted.length === 0 || wanted.some(text => name.includes(text)))
  .map(name => join('build', 'test', 'interop', name.replace(/\.ts$/, '.js')))
  .sort()

const home = mkdtempSync(join(tmpdir(), 'pdx-'))
const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }
for (const name of Object.keys(env)) if (name.startsWith('PILOT_')) delete env[name]
env.PILOT_ORIGINAL = resolve(folder)

const tests = ['--enable-source-maps', '--test', '--test-reporter=spec', '--test-concurrency=2', ...files]
const { status } = spawnSync('unshare', [...isolate, process.execPath, ...tests], { stdio: 'inherit', env })
rmSync(home, { recursive: true, force: true })
process.exit(status ?? 1)

function skip(reason) {
  console.log(`interop tests skipped: ${reason}`)
  process.exit(0)
}
