// Runs the interop suite: our programs against the original's.
//
//   node scripts/run-interop.js [text in a file's name ...]            programs in the folder $PILOT_ORIGINAL
//   node scripts/run-interop.js --install 1.18.0 [--install 1.7.2 ...] [text ...]   programs installed with pip
//
// The Python SDK comes from the package around the programs, if there is one. `--record` writes transcripts to
// test/interop/recordings and the results to test/interop/results.json. Everything runs in a network namespace that has
// only loopback, because the original's programs contact hosts of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { installOriginal } from './install-original.js'

/** The suite takes about two minutes for the newest version. A run that takes longer hangs. */
const TIMEOUT_MS = 10 * 60_000

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    install: { type: 'string', multiple: true, default: [] },
    record: { type: 'boolean', default: false },
  },
})
const isRecording = values.record

const isolate = ['-rnm', 'sh', '-c', 'ip link set lo up && exec "$@"', 'isolated']
if (spawnSync('unshare', [...isolate, 'true']).status !== 0) {
  skip(
    'the system refuses a network namespace (unshare -rnm, ip), and the programs must not reach the network',
  )
}

const files = readdirSync(join('test', 'interop'))
  .filter(name => name.endsWith('.interop.ts'))
  .filter(name => wanted.length === 0 || wanted.some(text => name.includes(text)))
  .map(name => join('build', 'test', 'interop', name.replace(/\.ts$/, '.js')))
  .sort()
if (files.length === 0) {
  console.error(`no interop test matches: ${wanted.join(' ')}`)
  process.exit(1)
}

const failed = originals().filter(({ version, folder }) => !passes(version, folder))
for (const { version } of failed) console.error(`interop failed against the original ${version}`)
process.exit(failed.length === 0 ? 0 : 1)

/** The versions to test against, each with the folder of its programs. */
function originals() {
  if (values.install.length > 0) {
    return values.install.map(version => ({ version, folder: installOriginal(version) }))
  }
  const folder = process.env.PILOT_ORIGINAL
  if (!folder)
    skip("PILOT_ORIGINAL does not name the folder of the original's programs; --install installs them")
  const missing = ['pilotctl', 'pilot-daemon'].filter(name => !existsSync(join(folder, name)))
  if (missing.length > 0) skip(`${folder} has no ${missing.join(' and no ')}`)
  return [{ version: versionOf(folder), folder: resolve(folder) }]
}

/** Runs the tests against the programs in `folder`. */
function passes(version, folder) {
  console.log(`\n== interop with the original ${version}`)
  const home = mkdtempSync(join(tmpdir(), 'pdx-'))
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }
  for (const name of Object.keys(env))
    if (name.startsWith('PILOT_') || /_proxy$/i.test(name)) delete env[name]
  env.PILOT_ORIGINAL = folder
  env.INTEROP_VERSION = version

  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout']
  const results = join(home, 'results.json')
  if (isRecording) {
    const recordings = resolve('test', 'interop', 'recordings', version)
    if (wanted.length === 0) rmSync(recordings, { recursive: true, force: true })
    mkdirSync(recordings, { recursive: true })
    env.INTEROP_RECORD = recordings
    const reporter = resolve('scripts', 'interop-results.js')
    reporters.push(`--test-reporter=${reporter}`, `--test-reporter-destination=${results}`)
  }
  const tests = ['--enable-source-maps', '--test', ...reporters, '--test-concurrency=2', ...files]
  const { status, error } = spawnSync('unshare', [...isolate, process.execPath, ...tests], {
    stdio: 'inherit',
    env,
    timeout: TIMEOUT_MS,
  })
  if (error) console.error(error.message)
  if (isRecording) keepResults(version, results)
  rmSync(home, { recursive: true, force: true })
  return status === 0
}

/** Stores the results under the version. After a run of some files, the other files keep their rows. */
function keepResults(version, results) {
  const path = join('test', 'interop', 'results.json')
  const all = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  const run = JSON.parse(readFileSync(results, 'utf8'))
  const ran = new Set(run.rows.map(({ file }) => file))
  const others = wanted.length === 0 ? [] : (all[version]?.rows ?? []).filter(({ file }) => !ran.has(file))
  run.rows = [...others, ...run.rows].sort((a, b) =>
    `${a.file}\n${a.name}` < `${b.file}\n${b.name}` ? -1 : 1,
  )
  all[version] = run
  writeFileSync(path, `${JSON.stringify(all, null, 1)}\n`)
}

/** The version that pilotctl prints. The oldest versions print none: INTEROP_VERSION names it. */
function versionOf(folder) {
  const { stdout } = spawnSync(join(folder, 'pilotctl'), ['version'], { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? process.env.INTEROP_VERSION ?? 'unknown'
}

/** A skip is a failure in CI. */
function skip(reason) {
  console.log(`interop tests skipped: ${reason}`)
  process.exit(process.env.CI ? 1 : 0)
}
