// The results of the long crash tests, row by row: test/crash/results.json. A row is made in parts, each
// with random numbers of its own; a part that is done is noted at once, so that a run can be broken off and gone on with.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'

const FILE = 'test/crash/results.json'
const MOST_FAILURES = 20
/** Counts of which the most is told, not the sum. */
const PEAK = /(Ms|MiB|us|Descriptors|P\d+|Percent\w*|atRest|most)$/

/** Rows that have been made, wholly or in part, by name. */
export function readRecord() {
  return JSON.parse(readFileSync(FILE, 'utf8'))
}

/** The commit that this folder is of. */
export function commitHere() {
  return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim()
}

/** Whether all parts of what is noted of a row have been made. */
export function isWhole(entry) {
  return entry !== undefined && entry.done.length === entry.parts
}

/** The record of one row while it runs. */
export class RecordedRow {
  entry
  #name

  /** Begins anew, or where `goOn` behind what has been made in as many parts. */
  constructor(name, { parts, seed, goOn }) {
    const before = readRecord()[name]
    const isSame = goOn && before?.parts === parts && before.seed !== undefined
    this.entry = isSame ? before : newEntry(parts, seed)
    this.#name = name
  }

  /** The parts that are still to be made. */
  get due() {
    return Array.from({ length: this.entry.parts }, (_, i) => i).filter(i => !this.entry.done.includes(i))
  }

  /** Notes what came of one part. */
  add(part, { n, failures, counts, seconds }) {
    const { entry } = this
    this.entry = {
      ...entry,
      done: [...entry.done, part].sort((a, b) => a - b),
      n: entry.n + n,
      failures: entry.failures + failures.length,
      examples: [...entry.examples, ...failures].slice(0, MOST_FAILURES),
      counts: addCounts(entry.counts, counts),
      seconds: Math.round(entry.seconds + seconds),
      load: Math.max(entry.load, Math.round(loadavg()[0] * 10) / 10),
      commits: [...new Set([...entry.commits, commitHere()])],
      date: new Date().toISOString().slice(0, 10),
      node: process.version,
    }
    const record = { ...readRecord(), [this.#name]: this.entry }
    const sorted = Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
    writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`)
  }
}

function newEntry(parts, seed) {
  const nothing = { n: 0, failures: 0, examples: [], counts: {}, seconds: 0, load: 0, commits: [] }
  return { parts, done: [], seed, ...nothing }
}

function addCounts(one, other) {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  const add = (name, a, b) => (PEAK.test(name) ? Math.max(a, b) : a + b)
  return Object.fromEntries(names.map(name => [name, add(name, one[name] ?? 0, other[name] ?? 0)]))
}
