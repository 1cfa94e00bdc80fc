// Writes what the crash tests have shown into docs/guarantees.md, between its markers: in the form for every change
// (test/crash/ci-results.json, `npm run test:crash -- --note`), and in the long one (test/crash/results.json, with `--record`).
import { readdirSync, readFileSync } from 'node:fs'
import { isWhole, readRecord } from './crash-record.js'
import { fillPage, table } from './pages.js'

const ROWS = {
  'kill-random': 'SIGKILL at a random moment under load, restart, compare',
  'kill-every-call': 'SIGKILL at every file system call of one save of each kind',
  'fault-every-call': 'every single fault, then two at random in one save',
  'file-stream': 'SIGKILL after a random byte of a file in chunks, resumed until it is there',
  'file-stream-cuts': 'a file of 50 MB, on demand of 1 GB, whose sender loses its daemon 20 times',
  unpack: 'SIGKILL while a folder is unpacked, once or more often, then a restart',
  'power-cut-ext4': 'power cut, ext4',
  'power-cut-xfs': 'power cut, XFS',
  'reordered-writes': 'writes reordered and lost between flushes, images',
  'folders-in-trouble': 'full and read-only disks, folders deleted or replaced, 64 descriptors',
  duplicates: 'SIGKILL while everything is sent under message ids',
  'duplicates-power-cut': 'power cut, ext4, then everything is sent again under its id',
  outbox: 'messages and files queued, both sides SIGKILLed while they are delivered',
  'outbox-power-cut': 'power cut while messages are added to an outbox, ext4',
  consumers: 'messages for four consumer processes killed at random',
  'power-cut-acks': 'power cut while a consumer works, ext4',
  'two-processes': 'two processes on one folder',
  clock: 'the clock: frozen, two hours back, ten years on, end of summer time',
  'fuzz-decoder': 'fuzz: decoder, generated input',
  'fuzz-property': 'fuzz: decoder, properties',
  'fuzz-service': 'fuzz: a live service, frames',
  names: 'file names',
  memory: '16 peers send 64 MiB each at once, as files and as texts',
  hostile: '2,500 hostile connections, 8 honest peers meanwhile',
  connections: '10,000 connections against a cap of 1,000, twice',
  'daemon-restarts': 'the daemon killed in mid-frame and started again',
  model:
    'mailboxes of 40 random commands each, on demand of 100, against a model; 64 in a process that is killed',
  soak: 'soak, minutes; one peer in a hundred hostile',
}

const names = readdirSync('test/crash').filter(name => name.endsWith('.crash.ts'))
const rows = names.map(name => name.slice(0, -'.crash.ts'.length))
for (const row of rows) if (!(row in ROWS)) throw new Error(`say what the row "${row}" is, in ROWS`)
const ci = JSON.parse(readFileSync('test/crash/ci-results.json', 'utf8'))
const record = readRecord()

fillPage('docs/guarantees.md', 'crash', {
  'ci-run': () =>
    `The figures are of one run of ${Math.round(ci.seconds / 60)} minutes, ${ci.date}, ${ci.cores} cores, load ${ci.load} at its start, Node ` +
    `${ci.node.slice(1)}, of \`${ci.commit}\`. With no failure in n tries, the true rate is below 3/n with 95 % confidence.`,
  'ci-rows': () => {
    const made = new Map(ci.results.map(result => [result.name, result]))
    return table(
      ['row', 'n', 'failures', 'bound', 'what was counted', 'seconds'],
      Object.keys(ROWS)
        .filter(row => made.has(row))
        .map(row => {
          const { n, failures, counts, seconds } = made.get(row)
          return figures(row, { n: number(n), failures: failures.length, counts, seconds }, n)
        }),
    )
  },
  planted: () => {
    const pairs = ci.results.filter(({ name }) => name.startsWith('planted: '))
    const missed = pairs.filter(({ passed }) => !passed).map(({ name }) => name)
    const faults = new Set(pairs.map(({ name }) => name.split(' / ')[0]))
    const found = missed.length === 0 ? 'all found' : `not found: ${missed.join(', ')}`
    return `Planted faults, ${faults.size} of them in ${pairs.length} pairs of fault and row: ${found}.`
  },
  record: () => {
    const missing = Object.keys(ROWS).filter(row => record[row] === undefined)
    const head = ['row', 'n', 'failures', 'bound', 'what was counted', 'seconds of all parts']
    const made = Object.keys(ROWS).filter(row => record[row] !== undefined)
    return [
      table(
        [...head, 'load up to', 'made of'],
        made.map(row => longFigures(row, record[row])),
      ),
      ...(missing.length === 0 ? [] : ['', `Not made yet: ${missing.map(row => `\`${row}\``).join(', ')}.`]),
    ].join('\n')
  },
})

function longFigures(row, entry) {
  const { n, load, date, commits, done, parts } = entry
  const part = isWhole(entry) ? '' : done.length === 0 ? ' (a part)' : ` (${done.length} of ${parts} parts)`
  return [
    ...figures(row, { ...entry, n: `${number(n)}${part}` }, n),
    load,
    [date, ...commits.map(commit => `\`${commit}\``)].join(' '),
  ]
}

function figures(row, { n, failures, counts, seconds }, tries) {
  return [
    ROWS[row],
    n,
    number(failures),
    failures === 0 && tries > 3 ? `${Number(((3 / tries) * 100).toPrecision(2))} %` : '',
    Object.entries(counts)
      .map(([what, count]) => `${words(what)} ${number(count)}`)
      .join(', '),
    number(seconds),
  ]
}

/** `processesKilled` and `longestMs` as words. */
function words(name) {
  const spaced = name.replace(/(?<=[a-z])(Mi?B|P\d+|[A-Z])/g, ' $1').replace(/ Ms$/, ' ms')
  return spaced.replace(/ [A-Z](?=[a-z])(?!iB)/g, capital => capital.toLowerCase())
}

function number(value) {
  return value.toLocaleString('en')
}
