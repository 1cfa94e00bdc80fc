// `npm run bench`: measures what `--part` names, or everything, and prints it.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from './bench.ts'
import { lookAtMachine } from './machine.ts'
import { readOptions, USAGE } from './options.ts'
import { PARTS } from './parts/index.ts'
import { type Figure, figureText, type Report } from './report.ts'
import { Scratch } from './scratch.ts'

const options = readOptions(process.argv.slice(2))
const unknown = options.parts.filter(name => !(name in PARTS))
if (options.help || unknown.length > 0) {
  console.log(unknown.length > 0 ? `no such part: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(options.help ? 0 : 2)
}

using scratch = new Scratch(options.dir)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    scratch[Symbol.dispose]()
    process.exit(1)
  })
}
const machine = lookAtMachine(scratch.data)
console.log(
  [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryMiB} MiB; Node ${machine.node}; ${machine.system}`,
    `data on ${machine.fileSystem}; load at the start ${machine.load.join(', ')}`,
    `medians of ${options.rounds} rounds of samples taken in turn, ${options.seconds} s each; in brackets where half of them lie\n`,
  ].join('\n'),
)

const bench: Bench = {
  rounds: options.rounds,
  ms: options.seconds * 1000,
  against: options.against,
  original: options.original,
  scratch,
  wantsSize: bytes => options.sizes.length === 0 || options.sizes.includes(bytes),
  quick: options.quick,
}
const startedAt = performance.now()
const figures: Figure[] = []
for (const [name, part] of Object.entries(PARTS)) {
  if (options.parts.length > 0 && !options.parts.includes(name)) continue
  for await (const figure of part(bench)) {
    figures.push(figure)
    console.log(figureText(figure))
  }
}
const seconds = Math.round((performance.now() - startedAt) / 1000)
console.log(`${figures.length} figures in ${seconds} s`)

if (options.json !== undefined) {
  const { rounds, seconds: sample } = options
  const settings = {
    rounds,
    seconds: sample,
    against: options.against !== undefined,
    ...(options.original !== undefined && { original: versionOf(options.original) }),
  }
  const report: Report = { machine, settings, seconds, figures }
  writeFileSync(options.json, `${JSON.stringify(report)}\n`)
}

function versionOf(programs: string): string {
  return spawnSync(join(programs, 'pilot-daemon'), ['-version'], { encoding: 'utf8' }).stdout.trim()
}
