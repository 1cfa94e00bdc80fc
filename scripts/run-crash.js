// Runs the crash tests on the compiled library: `node scripts/run-crash.js [--record] [--seed N] [text in the name ...]`.
// Rows first, then the planted faults, which the rows must find. Prints a line for each, and writes all of it to
// build/crash-results.json. What the machine lacks is skipped, and why is printed; with CI=true a skip is a failure.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PLANTED_FAULTS } from './planted-faults.js'

/**
 * Rows mount disks where nobody else sees them: a copy of such a mount in the namespace of a process that is
 * started meanwhile would keep it alive, with all that it was to lose, after it has been unmounted.
 */
const isLinuxRoot = process.platform === 'linux' && process.getuid() === 0
const PRIVATE_MOUNTS = isLinuxRoot ? ['unshare', '--mount', '--propagation', 'private'] : []

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { record: { type: 'boolean', default: false }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const isWanted = name => positionals.length === 0 || positionals.some(text => name.includes(text))
/** Rows that take minutes, or that look at memory and time under load: what a busy machine does must not fail a change. */
const ON_DEMAND = ['connections', 'daemon-restarts', 'hostile', 'model', 'soak']
/** Rows that disturb nobody, and need a core for long: on demand as many processes share each as there are cores. */
const SHARED = ['clock', 'fuzz-decoder', 'fuzz-property', 'fuzz-service', 'kill-random', 'model', 'names']
/** Far more than any row takes: one that waits for ever must not keep a change waiting as well. */
const ROW_TIMEOUT_MS = (values.record ? 24 * 60 : 30) * 60_000
const startedAt = performance.now()
const results = []
/** Rows that run, each in a group with all that it has started: they end with this process. */
const running = new Set()
process.on('exit', () => running.forEach(endGroup))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

console.log(`seed ${seed}, Node ${process.version}${values.record ? ', on demand' : ''}`)
const rows = readdirSync('test/crash').filter(name => name.endsWith('.crash.ts'))
for (const row of rows.map(name => name.slice(0, -'.crash.ts'.length)).sort()) {
  if (!isWanted(row)) continue
  if (ON_DEMAND.includes(row) && positionals.length === 0 && !values.record) {
    console.log(`${row}: on demand, with --record or by its name`)
    continue
  }
  const report = values.record ? await runShared(row) : await run(process.cwd(), row, 'ci')
  const passed = report.skipped === undefined ? isClean(report) : !process.env.CI
  note({ name: row, ...report, passed })
}
for (const fault of PLANTED_FAULTS) {
  for (const [row, n] of Object.entries(fault.foundBy)) {
    const name = `planted: ${fault.name} / ${row}`
    if (!isWanted(name)) continue
    const copy = plant(fault)
    const report = await run(copy, row, n).finally(() => rmSync(copy, { recursive: true, force: true }))
    const found = report.error === undefined && report.harness === undefined && report.failures.length > 0
    note({ name, ...report, passed: report.skipped === undefined ? found : !process.env.CI })
  }
}

const seconds = secondsSince(startedAt)
const isGood = results.length > 0 && results.every(({ passed }) => passed)
mkdirSync('build', { recursive: true })
writeFileSync(
  'build/crash-results.json',
  `${JSON.stringify({ seed, node: process.version, record: values.record, seconds, passed: isGood, results }, null, 2)}\n`,
)
console.log(results.length === 0 ? 'no row matches' : `${isGood ? 'all passed' : 'FAILED'}, ${seconds} s`)
process.exit(isGood ? 0 : 1)

/** Runs one row with its long count, in several processes where that can be. */
async function runShared(row) {
  const shares = SHARED.includes(row) ? availableParallelism() : 1
  const counts = Array.from({ length: shares }, (_, i) => `record/${shares}/${i}`)
  const reports = await Promise.all(counts.map(count => run(process.cwd(), row, count)))
  const total = reports.map(report => report.counts).reduce(addCounts)
  return {
    ...reports.find(report => report.harness ?? report.skipped ?? report.error),
    n: sum(reports.map(({ n }) => n)),
    failures: reports.flatMap(({ failures }) => failures),
    counts: total,
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
  }
}

function addCounts(one = {}, other = {}) {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.map(name => [name, (one[name] ?? 0) + (other[name] ?? 0)]))
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

function endGroup({ pid }) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

function isClean({ failures, harness }) {
  return failures.length === 0 && harness === undefined
}

/**
 * Runs one row of the tests that are compiled in `folder`. An `error` is also a failure; where the `harness` failed,
 * nothing has been shown, for or against what is tested.
 */
async function run(folder, row, count) {
  const rowStartedAt = performance.now()
  const script = join(folder, 'build/test/crash/run-row.js')
  const [command, ...args] = [...PRIVATE_MOUNTS, process.execPath, script, row, String(count), String(seed)]
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  running.add(child)
  const late = setTimeout(() => endGroup(child), ROW_TIMEOUT_MS)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].on('data', chunk => (output[name] += chunk))
  const code = await new Promise(resolve => child.on('close', resolve))
  running.delete(child)
  clearTimeout(late)
  const seconds = secondsSince(rowStartedAt)
  const isLate = seconds * 1_000 >= ROW_TIMEOUT_MS
  if (isLate) return { n: 0, failures: [], counts: {}, harness: `not done after ${seconds} s`, seconds }
  const report = code === 0 ? JSON.parse(output.stdout.trim().split('\n').at(-1)) : undefined
  if (report) return { ...report, seconds }
  const error = `the row ended with ${code}: ${output.stderr.trim()}`
  return { n: 0, failures: [error], counts: {}, error, seconds }
}

/** A copy of the compiled library and its crash tests with `fault` in it. */
function plant({ name, edits }) {
  const copy = mkdtempSync(join(tmpdir(), 'pdx-planted-'))
  for (const path of ['package.json', 'dist', 'build/test/crash', 'build/test/helpers', 'test/crash']) {
    cpSync(path, join(copy, path), { recursive: true })
  }
  for (const [file, from, to] of edits) {
    const path = join(copy, 'dist', file)
    const parts = readFileSync(path, 'utf8').split(from)
    if (parts.length !== 2)
      throw new Error(`planting "${name}": ${parts.length - 1} times in ${file}: ${from}`)
    writeFileSync(path, parts.join(to))
  }
  return copy
}

function note(result) {
  results.push(result)
  const { name, n, failures, counts, skipped, harness, error, seconds, passed } = result
  const mark = passed ? 'ok  ' : 'FAIL'
  if (skipped !== undefined) {
    console.log(`${mark} ${name}: skipped, ${skipped}`)
    return
  }
  if (harness !== undefined) {
    console.log(`${mark} ${name}: the harness failed, not what is tested, after ${seconds} s: ${harness}`)
    return
  }
  const isPlanted = name.startsWith('planted')
  const bound = failures.length === 0 ? `, bound ${((3 / n) * 100).toPrecision(2)} %` : ''
  const details = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
  const found = isPlanted ? `found ${failures.length} times` : `failures ${failures.length}${bound}`
  console.log(`${mark} ${name}: n ${n}, ${found}, ${seconds} s${isPlanted ? '' : ` (${details.join(', ')})`}`)
  if (passed && !isPlanted) return
  const shown = isPlanted && !error ? failures.slice(0, 1) : failures.slice(0, 20)
  for (const failure of shown) console.log(`       ${failure}`)
}

function secondsSince(start) {
  return Math.round((performance.now() - start) / 100) / 10
}
