// Runs the crash tests on the compiled library:
// `node scripts/run-crash.js [--record [--missing]] [--seed N] [text in the name ...]`.
// Rows first, then the planted faults, which the rows must find; several at once. Prints a line for each as it ends,
// and writes all of it to build/crash-results.json; with --note also to test/crash/ci-results.json, which
// docs/guarantees.md is made of. Rows that need something the machine lacks are skipped, and the reason is printed; with CI=true a skip is a failure.
// With --record the rows run long and without planted faults, and are noted in test/crash/results.json part by part;
// with --missing only what is not noted there yet.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { copyBuilt, LIBRARY } from './copy-built.js'
import { commitHere, RecordedRow } from './crash-record.js'
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
    note: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const isWanted = name => positionals.length === 0 || positionals.some(text => name.includes(text))
/** The first of all, with nothing beside it: it tells how long others are kept waiting. */
const ALONE = 'hostile'
/** It waits for most of its minutes: beside all the others. */
const BESIDE = 'soak'
/** How much runs at once: what runs waits for a disk, a process or a deadline now and then. */
const CORES = availableParallelism()
const LANES = CORES + 1
/** How often a row may look for a fault that is planted. */
const TRIES = 3
/** On demand: into how many parts a row is divided, each noted when it is done. The others are one part. */
const PARTS = {
  clock: 20,
  connections: 5,
  'daemon-restarts': 10,
  duplicates: 10,
  'duplicates-power-cut': 5,
  'fault-every-call': 2,
  'file-stream': 5,
  'folders-in-trouble': 4,
  'fuzz-decoder': 20,
  'fuzz-property': 10,
  'fuzz-service': 20,
  hostile: 4,
  'kill-random': 20,
  memory: 5,
  model: 20,
  names: 20,
  outbox: 5,
  'outbox-power-cut': 5,
  'power-cut-acks': 5,
  'power-cut-ext4': 10,
  'power-cut-xfs': 5,
  'reordered-writes': 10,
  'two-processes': 4,
  unpack: 5,
}
/** Far more than any row takes: one that waits for ever must not keep a change waiting as well. */
const ROW_TIMEOUT_MS = (values.record ? 24 * 60 : 10) * 60_000
const startedAt = performance.now()
const load = Math.round(loadavg()[0] * 10) / 10
const results = []
/** Rows that run, each in a group with all that it has started: they end with this process. */
const running = new Set()
process.on('exit', () => running.forEach(endGroup))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

console.log(`seed ${seed}, Node ${process.version}${values.record ? ', on demand' : ''}`)
const names = readdirSync('test/crash').filter(name => name.endsWith('.crash.ts'))
const rows = names.map(name => name.slice(0, -'.crash.ts'.length)).filter(isWanted)
const jobsOf = values.record ? longJobs : row => [() => runRow(row)]
const isAlone = row => row === ALONE
await inLanes([...rows.filter(isAlone).flatMap(jobsOf), ...plantedJobs(isAlone)], 1)
await Promise.all([
  inLanes(rows.filter(row => row === BESIDE).flatMap(jobsOf), 1),
  inLanes(
    [
      ...rows.filter(row => !isAlone(row) && row !== BESIDE).flatMap(jobsOf),
      ...plantedJobs(row => !isAlone(row)),
    ],
    LANES,
  ),
])

const seconds = secondsSince(startedAt)
const isGood = results.length > 0 && results.every(({ passed }) => passed)
const date = new Date().toISOString().slice(0, 10)
const made = { date, node: process.version, cores: CORES, load, seed, seconds, passed: isGood }
mkdirSync('build', { recursive: true })
writeJson('build/crash-results.json', { ...made, record: values.record, results })
if (values.note) {
  // The effect of a planted fault is printed as it is found, and differs each time.
  const short = results.map(result => (isPlanted(result) ? { ...result, failures: [], counts: {} } : result))
  writeJson('test/crash/ci-results.json', { ...made, commit: commitHere(), results: short })
}
console.log(results.length === 0 ? 'no row matches' : `${isGood ? 'all passed' : 'FAILED'}, ${seconds} s`)
process.exit(isGood ? 0 : 1)

/** Runs `jobs` in their order, so many at once. */
async function inLanes(jobs, lanes) {
  const lane = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Runs one row of the form for every change. */
async function runRow(row) {
  noteRow(row, await run(process.cwd(), row, 'ci'))
}

function noteRow(name, report) {
  note({ name, ...report, passed: report.skipped === undefined ? isClean(report) : !process.env.CI })
}

/** Runs the missing parts of the long form of one row; the last part prints the total. */
function longJobs(row) {
  const parts = PARTS[row] ?? 1
  const recorded = new RecordedRow(row, { parts, seed, goOn: values.missing })
  const { due } = recorded
  const found = []
  let broken
  let left = due.length
  return due.map(part => async () => {
    if (broken === undefined) {
      const report = await run(process.cwd(), row, `record/${parts}/${part}`, recorded.entry.seed)
      if (report.skipped ?? report.harness ?? report.error) broken = report
      else recorded.add(part, report)
      found.push(...report.failures)
      console.log(`     ${row}: ${recorded.entry.done.length} of ${parts} parts`)
    }
    if (--left > 0) return
    const { n, counts, seconds } = recorded.entry
    noteRow(row, { ...broken, n, failures: found, counts, seconds })
  })
}

/** Rows that run on what has a fault in it, and must find that: those that `isMeant` names. */
function plantedJobs(isMeant) {
  const faults = values.record ? [] : PLANTED_FAULTS
  const pairs = faults.flatMap(fault => Object.entries(fault.foundBy).map(([row, n]) => ({ fault, row, n })))
  return pairs
    .map(pair => ({ ...pair, name: `planted: ${pair.fault.name} / ${pair.row}` }))
    .filter(({ name, row }) => isWanted(name) && isMeant(row))
    .map(({ fault, row, n, name }) => async () => {
      const copy = plant(fault)
      let report
      let found = false
      try {
        // A random row may miss it: on a busy machine a power cut may come after everything was written.
        for (let i = 0; i < TRIES && !found && report?.skipped === undefined; i++) {
          report = await run(copy, row, n, seed + i)
          found = report.error === undefined && report.harness === undefined && report.failures.length > 0
        }
      } finally {
        rmSync(copy, { recursive: true, force: true })
      }
      note({ name, ...report, passed: report.skipped === undefined ? found : !process.env.CI })
    })
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
  const said = output.stderr.trim()
  if (seconds * 1_000 >= ROW_TIMEOUT_MS) {
    const error = `not done after ${seconds} s: it, or what it tests, waits for ever. ${said}`
    return { n: 0, failures: [error], counts: {}, error, seconds }
  }
  const report = code === 0 ? JSON.parse(output.stdout.trim().split('\n').at(-1)) : undefined
  if (report) return { ...report, seconds }
  const error = `the row ended with ${code}: ${said}`
  return { n: 0, failures: [error], counts: {}, error, seconds }
}

/** A copy of the compiled library and its crash tests with `fault` in it. */
function plant({ name, edits }) {
  const copy = copyBuilt('pdx-planted-', ['build/test/crash', 'build/test/helpers', 'test/crash'])
  for (const [file, from, to] of edits) {
    const path = join(copy, LIBRARY, file)
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
  const bound = failures.length === 0 ? `, bound ${((3 / n) * 100).toPrecision(2)} %` : ''
  const details = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
  const found = isPlanted(result) ? `found ${failures.length} times` : `failures ${failures.length}${bound}`
  console.log(
    `${mark} ${name}: n ${n}, ${found}, ${seconds} s${isPlanted(result) ? '' : ` (${details.join(', ')})`}`,
  )
  if (passed && !isPlanted(result)) return
  const shown = isPlanted(result) && !error ? failures.slice(0, 1) : failures.slice(0, 20)
  for (const failure of shown) console.log(`       ${failure}`)
}

function isPlanted({ name }) {
  return name.startsWith('planted: ')
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

function secondsSince(start) {
  return Math.round((performance.now() - start) / 100) / 10
}
