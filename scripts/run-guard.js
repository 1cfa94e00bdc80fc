// Fails where the service has become slower, by ratios to what bounds it (bench/guard-bounds.ts): `node
// scripts/run-guard.js`. Then makes a copy of the library in which every message takes twice the processor time, and
// fails where that is not noticed: a guard that cannot fail guards nothing.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyBuilt, LIBRARY } from './copy-built.js'

const TRIES = 3

const report = guard('.', TRIES)
print('as it is', report)
const noticed = isSlownessNoticed(report.found[0].cost)
if (!report.passed) console.log('SLOWER: a ratio is over its bound, in each of the tries')
if (!noticed) console.log('BLIND: a service that is twice as slow stays within the bounds; set them anew')
process.exit(report.passed && noticed ? 0 : 1)

function isSlownessNoticed(cost) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const copy = plantSlowness(cost)
    try {
      const slow = guard(copy, 1)
      print('twice as slow', slow)
      if (!slow.passed) return true
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  }
  return false
}

function guard(folder, tries) {
  const script = join(folder, 'build/bench/guard.js')
  return JSON.parse(
    execFileSync(process.execPath, [script, String(tries)], { encoding: 'utf8', cwd: folder }),
  )
}

/** A copy of what is compiled, in which each message takes `cost` microseconds more. */
function plantSlowness(cost) {
  const copy = copyBuilt('pdx-guard-', ['build/bench', 'build/test/helpers'])
  const path = join(copy, LIBRARY, 'service/handlers/message.js')
  const start = 'export async function handleMessage(frame, context) {'
  const parts = readFileSync(path, 'utf8').split(start)
  if (parts.length !== 2) throw new Error(`${parts.length - 1} times in ${path}: ${start}`)
  writeFileSync(
    path,
    `${spin}\n${parts.join(`${start}\n    spin(${Math.round(cost * turnsPerMicrosecond())})`)}`,
  )
  return copy
}

/** Counted turns, not a look at the clock: on a busy machine time passes without work. */
function spin(turns) {
  let value = 1
  for (let i = 0; i < turns; i++) value = (value * 16807) % 2147483647
  return value
}

function turnsPerMicrosecond() {
  const turns = 2e7
  spin(turns)
  const before = process.cpuUsage()
  spin(turns)
  const { user, system } = process.cpuUsage(before)
  return turns / (user + system)
}

function print(name, { found }) {
  for (const { what, ratio, most, cost } of found) {
    console.log(`${name}: ${what}: ${ratio.toFixed(2)}, bound ${most} (${Math.round(cost)} us a message)`)
  }
}
