// Runs the compiled tests on this Node: `node scripts/run-tests.js [text in the file's path ...]`.
// The files are named one by one, from the sources: Node 20 takes folders, Node 22 and newer take globs,
// and neither should run what an older build left behind.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** They take a minute or two. */
const TIMEOUT_MS = 20 * 60_000
const LEFT_OUT = `left out: kills, faults of the disk and power cuts, which need root and some packages: npm run test:crash
left out: what runs against the original's programs, which have to be there: npm run test:interop`

const wanted = process.argv.slice(2)
const files = ['packages/dataexchange/test', 'packages/pilot-dx/test', 'test']
  .flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(path => join(folder, path)),
  )
  .filter(path => path.endsWith('.test.ts'))
  .filter(path => wanted.length === 0 || wanted.some(text => path.includes(text)))
  .map(path => join('build', path.replace(/\.ts$/, '.js')))

const missing = files.filter(path => !existsSync(path))
if (missing.length > 0 || files.length === 0) {
  console.error(files.length === 0 ? 'no test file matches' : `not built: ${missing.join(', ')}`)
  process.exit(1)
}

// Nothing of this user's own node is read or written.
const home = mkdtempSync(join(tmpdir(), 'pilot-dx-test-'))
const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }
for (const name of Object.keys(env)) if (name.startsWith('PILOT_')) delete env[name]

const start = performance.now()
const { status, error } = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-reporter=spec', '--test-concurrency=2', ...files],
  { stdio: 'inherit', env, timeout: TIMEOUT_MS },
)
rmSync(home, { recursive: true, force: true })
console.log(`${files.length} test files took ${((performance.now() - start) / 1000).toFixed(0)} s`)
if (wanted.length === 0) console.log(LEFT_OUT)
if (error)
  console.error(error.code === 'ETIMEDOUT' ? 'a test hangs: the last one named above' : error.message)
process.exit(status ?? 1)
