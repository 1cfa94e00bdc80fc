// Runs the tests against the original's programs: `PILOT_ORIGINAL=<folder> node scripts/run-interop.js [text ...]`.
// The folder holds pilotctl and pilot-daemon; the Python SDK is taken from the package around it, where there is one.
// With --record it writes down what it saw: transcripts into test/interop/recordings, and what passed into
// test/interop/results.json. All of it runs in a network namespace with nothing but loopback, since those programs know hosts of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

const isRecording = process.argv.includes('--record')
const wanted = process.argv.slice(2).filter(arg => arg !== '--record')
const files = readdirSync(join('test', 'interop'))
  .filter(name => name.endsWith('.interop.ts'))
  .filter(name => wanted.length === 0 || wanted.some(text => name.includes(text)))
  .map(name => join('build', 'test', 'interop', name.replace(/\.ts$/, '.js')))
  .sort()

const home = mkdtempSync(join(tmpdir(), 'pdx-'))
const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }
for (const name of Object.keys(env)) if (name.startsWith('PILOT_')) delete env[name]
env.PILOT_ORIGINAL = resolve(folder)

const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout']
const results = join(home, 'results.json')
if (isRecording) {
  const recordings = resolve('test', 'interop', 'recordings', version())
  if (wanted.length === 0) rmSync(recordings, { recursive: true, force: true })
  mkdirSync(recordings, { recursive: true })
  env.INTEROP_RECORD = recordings
  const reporter = resolve('scripts', 'interop-results.js')
  reporters.push(`--test-reporter=${reporter}`, `--test-reporter-destination=${results}`)
}
const tests = ['--enable-source-maps', '--test', ...reporters, '--test-concurrency=2', ...files]
const { status } = spawnSync('unshare', [...isolate, process.execPath, ...tests], { stdio: 'inherit', env })
if (isRecording) keepResults()
rmSync(home, { recursive: true, force: true })
process.exit(status ?? 1)

/** One entry for each version; of a run of some files, the others keep their rows. */
function keepResults() {
  const path = join('test', 'interop', 'results.json')
  const all = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  const run = JSON.parse(readFileSync(results, 'utf8'))
  const ran = new Set(run.rows.map(({ file }) => file))
  const others = wanted.length === 0 ? [] : (all[version()]?.rows ?? []).filter(({ file }) => !ran.has(file))
  run.rows = [...others, ...run.rows].sort((a, b) =>
    `${a.file}\n${a.name}` < `${b.file}\n${b.name}` ? -1 : 1,
  )
  all[version()] = run
  writeFileSync(path, `${JSON.stringify(all, null, 1)}\n`)
}

/** Of the original's programs; the oldest tell none, and INTEROP_VERSION has to. */
function version() {
  const { stdout } = spawnSync(join(folder, 'pilotctl'), ['version'], { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? process.env.INTEROP_VERSION ?? 'unknown'
}

function skip(reason) {
  console.log(`interop tests skipped: ${reason}`)
  process.exit(0)
}
