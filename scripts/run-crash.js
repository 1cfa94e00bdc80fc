// Runs the crash tests on the compiled library:
// `node scripts/run-crash.js [--record [--missing]] [--seed N] [text in the name ...]`.
// Rows first, then the planted faults, which the rows must find. Prints a line for each, and writes all of it to
// build/crash-results.json. What the machine lacks is skipped, and why is printed; with CI=true a skip is a failure.
// With --record the rows run long and without planted faults, and are noted in test/crash/results.json part by part;
// with --missing only what is not noted there yet.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isWhole, RecordedRow, readRecord } from './crash-record.js'
import { PLANTED_FAULTS } from './planted-faults.js'

/**
 * Rows mount disks where nobody else sees them: a copy of such a mount in the namespace of a process that is
 * started meanwhile would keep it alive, with all that it was to lose, after it has been unmounted.
 */
const isLinuxRoot = process.platform === 'linux' && process.getuid() === 0
const PRIVATE_MOUNTS = isLinuxRoot ? ['unshare', '--mount', '--propagation', 'private'] : []

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    record: { type: 'boolean', default: false },
    missing: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const isWanted = name => positionals.length === 0 || positionals.some(text => name.includes(text))
/** Rows that take minutes, or that look at memory and time under load: what a busy machine does must not fail a change. */
const ON_DEMAND = ['connections', 'daemon-restarts', 'hostile', 'model', 'soak']
/** How many processes share the cores where a row needs one for long, or waits most of the time. */
const CORES = availableParallelism()
/** On demand: into how many parts a row is divided, and how many of them run at once. The others are one part. */
const PARTS = {
  clock: { parts: 20, atOnce: CORES },
  connections: { parts: 5, atOnce: CORES },
  'daemon-restarts': { parts: 10, atOnce: 2 * CORES },
  'fault-every-call': { parts: 2, atOnce: CORES },
  'folders-in-trouble': { parts: 4, atOnce: CORES },
  'fuzz-decoder': { parts: 20, atOnce: CORES },
  'fuzz-property': { parts: 10, atOnce: CORES },
  'fuzz-service': { parts: 20, atOnce: CORES },
  // It judges times, over five runs or more.
  hostile: { parts: 4, atOnce: 1 },
  'kill-random': { parts: 20, atOnce: CORES + 1 },
  memory: { parts: 5, atOnce: CORES },
  model: { parts: 20, atOnce: CORES },
  names: { parts: 20, atOnce: CORES },
}
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
  if (values.missing && isWhole(readRecord()[row])) continue
  if (ON_DEMAND.includes(row) && positionals.length === 0 && !values.record) {
    console.log(`${row}: on demand, with --record or by its name`)
    continue
  }
  const report = values.record ? await runLong(row) : await run(process.cwd(), row, 'ci')
  const passed = report.skipped === undefined ? isClean(report) : !process.env.CI
  note({ name: row, ...report, passed })
}
for (const fault of values.record ? [] : PLANTED_FAULTS) {
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

/** Runs what is due of the long form of one row, part by part, and gives what all of it has shown. */
async function runLong(row) {
  const { parts, atOnce } = PARTS[row] ?? { parts: 1, atOnce: 1 }
  const recorded = new RecordedRow(row, { parts, seed, goOn: values.missing })
  const due = recorded.due
  const faults = []
  let broken
  const work = async () => {
    while (due.length > 0 && broken === undefined) {
      const part = due.shift()
      const report = await run(process.cwd(), row, `record/${parts}/${part}`, recorded.entry.seed)
      if (report.skipped ?? report.harness ?? report.error) broken = report
      else recorded.add(part, report)
      faults.push(...report.failures)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const { n, counts, seconds } = recorded.entry
  return { ...broken, n, failures: faults, counts, seconds }
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
async function run(folder, row, count, rowSeed = seed) {
  const rowStartedAt = performance.now()
  const script = join(folder, 'build/test/crash/run-row.js')
  const [command, ...args] = [
    ...PRIVATE_MOUNTS,
    process.execPath,
    script,
    row,
    String(count),
    String(rowSeed),
  ]
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
