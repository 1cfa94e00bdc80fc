// Writes what the long form of the crash tests has shown (test/crash/results.json, `npm run test:crash -- --record`)
// into docs/guarantees.md, between its markers.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isWhole, readRecord } from './crash-record.js'
import { table } from './pages.js'

const PAGE = 'docs/guarantees.md'
const ROWS = {
  'kill-random': 'SIGKILL at a random moment under load, restart, compare',
  'kill-every-call': 'SIGKILL at every file system call of one save of each kind',
  'fault-every-call': 'every single fault, then two at random in one save',
  'file-stream': 'SIGKILL after a random byte of a file in chunks, resumed until it is there',
  'file-stream-cuts': 'a file of 1 GB whose sender loses its daemon 20 times',
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
  model: 'mailboxes of 100 random commands each, against a model; 64 in a process that is killed',
  soak: 'soak, minutes; one peer in a hundred hostile',
}

const record = readRecord()
const names = readdirSync('test/crash').filter(name => name.endsWith('.crash.ts'))
const rows = names.map(name => name.slice(0, -'.crash.ts'.length))
for (const row of rows) if (!(row in ROWS)) throw new Error(`say what the row "${row}" is, in ROWS`)
const made = Object.keys(ROWS).filter(row => record[row] !== undefined)
const missing = Object.keys(ROWS).filter(row => record[row] === undefined)

const head = [
  'row',
  'n',
  'failures',
  'bound',
  'what was counted',
  'seconds of all parts',
  'load up to',
  'made of',
]
const text = [
  table(
    head,
    made.map(row => cells(row, record[row])),
  ),
  missing.length === 0 ? '' : `\nNot made yet: ${missing.map(row => `\`${row}\``).join(', ')}.\n`,
].join('\n')

const before = readFileSync(PAGE, 'utf8')
const after = before.replace(/(<!-- record -->\n).*?(<!-- \/record -->)/s, (_, start, end) => {
  return `${start}\n${text}\n${end}`
})
writeFileSync(PAGE, after)

function cells(row, entry) {
  const { n, failures, counts, seconds, load, date, commits, done, parts } = entry
  const part = isWhole(entry) ? '' : done.length === 0 ? ' (a part)' : ` (${done.length} of ${parts} parts)`
  return [
    ROWS[row],
    `${number(n)}${part}`,
    number(failures),
    failures === 0 && n > 3 ? `${Number(((3 / n) * 100).toPrecision(2))} %` : '',
    Object.entries(counts)
      .map(([what, count]) => `${words(what)} ${number(count)}`)
      .join(', '),
    number(seconds),
    load,
    [date, ...commits.map(commit => `\`${commit}\``)].join(' '),
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
