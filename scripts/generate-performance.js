// Writes the figures of bench/results.json (`npm run bench:record`) into docs/performance.md, between its markers, and
// plots of them into docs/performance/.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { LIMITS } from '../packages/dataexchange/dist/limits.js'
import { fillPage, table } from './pages.js'
import { barCharts, number } from './plots.js'

const PAGE = 'docs/performance.md'
const report = JSON.parse(readFileSync('bench/results.json', 'utf8'))
const beside = JSON.parse(readFileSync('bench/original.json', 'utf8'))
const byId = new Map([...report.figures, ...beside.figures].map(figure => [figure.id, figure]))
const KINDS = ['full', 'os', 'plain', 'synced', 'null']
const WORKLOADS = {
  '1x1-100': '1 connection, one at a time',
  '1x64-100': '1 connection, 64 in flight',
  '8x8-100': '8 connections, 8 in flight',
  '64x1-100': '64 connections, one at a time',
  '8x8-65536': '8 connections, 8 in flight, 64 KiB',
}
const SIZES = { 100: '100 B', 1024: '1 KiB', 65536: '64 KiB', 16777216: '16 MiB' }

const BLOCKS = {
  machine: () => conditions(report),
  'original-run': () => `Version ${beside.settings.original} of the original. ${conditions(beside)}`,
  original: () => originalTable('rate'),
  'original-cpu': () => originalTable('cpu'),
  'original-plot': () =>
    picture('original', {
      title: 'Messages a second, on the original’s daemon',
      unit: 'messages/s',
      series: ['original', 'full', 'os'],
      groups: originalWorkloads().map(({ id, name }) => ({
        name,
        values: ['original', 'full', 'os'].map(kind => byId.get(`${id}/rate`)?.contenders[kind]),
      })),
    }),
  rates: () => workloadTable('service/bare', 'rate', KINDS),
  'rates-plot': () => plot('rates', 'Messages a second, bare socket', 'service/bare', 'messages/s'),
  cap: () => workloadTable('service/cap', 'rate', KINDS.slice(0, 4)),
  embedded: () => workloadTable('service/embedded', 'rate', ['full', 'os', 'null']),
  cpu: () => workloadTable('service/bare', 'cpu', KINDS),
  latency: () =>
    table(
      ['', 'quantile (ms)', ...KINDS],
      Object.entries({ '1x1': 'one at a time', '8x8': '8 x 8', paced: '500 a second' }).flatMap(
        ([id, name]) =>
          Object.entries({ p50: 'p50', p99: 'p99', p999: 'p99.9' }).map(([metric, quantile]) => [
            name,
            quantile,
            ...KINDS.map(kind => medianOf(`latency/${id}/${metric}`, kind)),
          ]),
      ),
    ),
  codec: () =>
    table(
      ['frames/s', 'size', 'ours', 'GB/s', 'to it-length-prefixed', 'to mqtt-packet'],
      Object.entries({ encode: 'encode', decode: 'decode, whole', split: 'decode, split' }).flatMap(
        ([id, name]) =>
          Object.entries(SIZES).map(([size, label]) => {
            const figure = byId.get(`codec/${id}/${size}/rate`)
            const rate = figure?.contenders.ours?.median
            const perSecond = rate === undefined ? '' : number((rate * Number(size)) / 1e9)
            // Work without a copy takes the same time at any size.
            const copied = id === 'split' || Number(size) <= 1024
            return [
              name,
              label,
              medianOf(`codec/${id}/${size}/rate`, 'ours'),
              copied ? perSecond : 'not copied',
              ratio(figure, 'ours', 'it-length-prefixed'),
              ratio(figure, 'ours', 'mqtt-packet'),
            ]
          }),
      ),
    ),
  files: () =>
    table(
      [
        '',
        'full',
        'os',
        'synced',
        'plain',
        'copy, synced',
        'copy',
        'client from disk',
        'memory of the receiver',
        'of the sender',
      ],
      Object.entries({
        '1x1MiB': '1 MiB',
        '1x50MiB': '50 MiB',
        '4x50MiB': '4 x 50 MiB at once',
        '16x64MiB': '16 x 64 MiB at once',
        '1x1024MiB': '1 GiB',
      })
        .filter(([id]) => byId.has(`files/${id}/rate`))
        .map(([id, name]) => [
          name,
          ...['full', 'os', 'synced', 'plain', 'copy-fdatasync', 'copy', 'full, client from disk'].map(kind =>
            medianOf(`files/${id}/rate`, kind),
          ),
          unit(medianOf(`files/${id}/receiver`, 'full'), 'MiB'),
          unit(medianOf(`files/${id}/sender`, 'full, client from disk'), 'MiB'),
        ]),
    ),
  growth: () =>
    table(
      ['messages in the inbox', '0', '1,000', '10,000', '100,000', '100,000 to 0'],
      [
        ...['full', 'os', 'plain'].map(kind => growthRow(`${kind}: messages/s`, `growth/${kind}/rate`)),
        growthRow('full: processor time, us a message', 'growth/full/cpu'),
        growthRow('full: start, ms', 'growth/full/start'),
      ],
    ),
  'growth-plot': () => {
    const names = ['0', '1000', '10000', '100000']
    return picture('growth', {
      title: 'Messages a second by messages in the inbox',
      unit: 'messages/s',
      series: ['full', 'os'],
      groups: names.map(name => ({
        name: `${Number(name).toLocaleString('en')} messages`,
        values: ['full', 'os'].map(kind => byId.get(`growth/${kind}/rate`)?.contenders[name]),
      })),
    })
  },
  small: () =>
    table(
      ['', 'full', 'null', 'full on the daemon'],
      [
        [
          'memory of an idle connection (KiB)',
          ...['full', 'null', 'full on the daemon'].map(kind => medianOf('idle/rss', kind)),
        ],
        [
          'of that in use by JavaScript (KiB)',
          ...['full', 'null', 'full on the daemon'].map(kind => medianOf('idle/heap', kind)),
        ],
      ],
    ),
  loop: () =>
    table(
      ['longest turn of the event loop (ms)', 'full', 'os', 'null'],
      ['8x8-100', '64x1-100', '8x8-65536'].map(id => [
        WORKLOADS[id],
        ...['full', 'os', 'null'].map(kind => medianOf(`loop/${id}/longest`, kind)),
      ]),
    ),
  startup: () =>
    table(
      ['', 'ms', 'to `node -e 0`'],
      ['node -e 0', 'pilot-dx --help', 'pilot-dx --version'].map(name => [
        `\`${name}\``,
        medianOf('startup/time', name),
        ratio(byId.get('startup/time'), name, 'node -e 0'),
      ]),
    ),
  floor: () =>
    table(
      ['one after the other', 'times a second', 'microseconds'],
      Object.entries({
        create: 'create, write 300 bytes, rename',
        'create-fdatasync': 'the same, and sync the file',
        'create-fsync-folder': 'the same, and sync the folder instead',
        'append-fdatasync': 'append 300 bytes to one file, and sync it',
      }).map(([id, name]) => {
        const rate = byId.get('floor/small/rate')?.contenders[id]?.median
        return [name, medianOf('floor/small/rate', id), rate === undefined ? '' : number(1e6 / rate)]
      }),
    ),
  sizing: () => {
    const busy = median('service/bare/8x8-100/rate', 'full')
    const full = median('service/cap/8x8-100/rate', 'full')
    const daemon = median('service/embedded/8x8-100/rate', 'full')
    const large = median('service/bare/8x8-65536/rate', 'full')
    const file = median('files/1x50MiB/rate', 'full')
    const idle = median('idle/rss', 'full')
    const half = busy / 2
    return table(
      ['one node, `durability: full`', ''],
      [
        ['messages a second at most, far from the cap', number(busy)],
        ['the same with the inbox at its cap', number(full)],
        ['the same through the embedded daemon', number(daemon)],
        [
          'to plan with: half of it, so that a burst finds room',
          `${number(half)} a second, ${number((half * 86_400) / 1e6)} million a day`,
        ],
        ['messages of 64 KiB', `${number(large)} a second, ${number((large * 65_536) / 1e6)} MB/s`],
        ['files', `${number(file)} MB/s`],
        [
          'memory with 1,000 connections',
          `${number(median('service/bare/8x8-100/peak', 'full') + (idle * 1000) / 1024)} MiB`,
        ],
        [
          'disk for an inbox at its default cap of short messages',
          `${number((LIMITS.inboxMaxFiles.value * BLOCK) / MiB)} MiB: a block of 4 KiB each, and ${LIMITS.inboxMaxFiles.value.toLocaleString('en')} inodes`,
        ],
        [
          'time until a full inbox has been replaced, at the planned rate',
          `${number(LIMITS.inboxMaxFiles.value / half)} s`,
        ],
      ],
    )
  },
  fleet: () => {
    const planned = median('service/bare/8x8-100/rate', 'full') / 2
    const idle = median('idle/rss', 'full')
    const rows = [
      ['one message an hour', 1 / 3600],
      ['one message in ten minutes', 1 / 600],
      ['one message in ten seconds', 1 / 10],
      ['one message a second', 1],
    ].map(([name, each]) => {
      const all = each * 1e6
      const share = number((100 * each) / planned)
      return [name, number(all), `${share} %`, nodes(all / planned), nodes(all / NEW_CONNECTIONS)]
    })
    return [
      table(
        [
          'each of a million agents sends',
          'messages a second in all',
          'of what its own node can take in, if spread evenly',
          'nodes that take in everything, if it goes to a few',
          'the same if every message is a connection',
        ],
        rows,
      ),
      '',
      `A hub to which all of them stay connected needs ${number((idle * 1e6) / MiB)} GiB for the idle connections alone, ` +
        `${number((idle * 1e4) / 1024)} MiB for each 10,000; \`maxConnections\` is ${LIMITS.maxConnections.value.toLocaleString('en')} unless it is raised, ` +
        `and a process needs a descriptor for each connection on a bare socket (one for all on a daemon’s).`,
    ].join('\n')
  },
}
const MiB = 1024 * 1024
const BLOCK = 4096
/** A second, that a Pilot daemon lets in unless it is configured otherwise. */
const NEW_CONNECTIONS = 100

mkdirSync('docs/performance', { recursive: true })
fillPage(PAGE, 'bench', BLOCKS)

function workloadTable(id, metric, kinds) {
  const rows = Object.entries(WORKLOADS).filter(([workload]) => byId.has(`${id}/${workload}/${metric}`))
  const pairs = [
    ['full', 'synced'],
    ['os', 'plain'],
  ].filter(pair => pair.every(kind => kinds.includes(kind)))
  return table(
    ['', ...kinds, ...pairs.map(([of, to]) => `${of} to ${to}`)],
    rows.map(([workload, name]) => {
      const figure = byId.get(`${id}/${workload}/${metric}`)
      return [
        name,
        ...kinds.map(kind => medianOf(figure.id, kind)),
        ...pairs.map(([of, to]) => ratio(figure, of, to)),
      ]
    }),
  )
}

function conditions({ machine, settings }) {
  const { cpu, cores, memoryMiB, node, system, fileSystem, load, startedAt } = machine
  const { rounds, seconds } = settings
  return (
    `Measured ${startedAt.slice(0, 10)} on ${cpu}, ${cores} cores, ${Math.round(memoryMiB / 1024)} GiB; Node ${node}; ${system}; ` +
    `data on ${fileSystem}; load at the start ${load[0]}. Medians of ${rounds} rounds of samples of ${seconds} s at most, taken in turn.`
  )
}

/** Measurements on the original's daemon: far from the cap, then at it. */
function originalWorkloads() {
  return ['empty', 'cap'].flatMap(place =>
    Object.entries(WORKLOADS)
      .map(([workload, name]) => ({
        id: `original/${place}/${workload}`,
        name: place === 'cap' ? `${name}, at the cap` : name,
      }))
      .filter(({ id }) => byId.has(`${id}/rate`)),
  )
}

function originalTable(metric) {
  return table(
    [
      '',
      'original',
      'from first to last round',
      'full',
      'os',
      'null',
      'full to original',
      'os to original',
      'null to original',
    ],
    originalWorkloads().map(({ id, name }) => {
      const figure = byId.get(`${id}/${metric}`)
      const { samples } = figure.contenders.original
      return [
        name,
        medianOf(figure.id, 'original'),
        `${number(samples[0])} to ${number(samples.at(-1))}`,
        ...['full', 'os', 'null'].map(kind => medianOf(figure.id, kind)),
        ...['full', 'os', 'null'].map(kind => ratio(figure, kind, 'original')),
      ]
    }),
  )
}

function growthRow(name, id) {
  const figure = byId.get(id)
  const cells = ['0', '1000', '10000', '100000'].map(count => medianOf(id, count))
  return [name, ...cells, ratio(figure, '100000', '0')]
}

function plot(name, title, id, unit) {
  const series = ['full', 'os', 'plain', 'synced', 'null']
  const groups = Object.entries(WORKLOADS).map(([workload, label]) => ({
    name: label.replace(', 8 in flight', ' x 8').replace('connections', 'conn.'),
    values: series.map(kind => byId.get(`${id}/${workload}/rate`)?.contenders[kind]),
  }))
  return picture(name, { title, unit, series, groups: groups.filter(group => group.values.some(Boolean)) })
}

function picture(name, chart) {
  for (const [theme, svg] of Object.entries(barCharts(chart)))
    writeFileSync(`docs/performance/${name}-${theme}.svg`, svg)
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="performance/${name}-dark.svg">`,
    `  <img alt="${chart.title}" src="performance/${name}-light.svg">`,
    '</picture>',
  ].join('\n')
}

function median(id, contender) {
  return byId.get(id)?.contenders[contender]?.median ?? Number.NaN
}

function medianOf(id, contender) {
  const value = median(id, contender)
  return Number.isNaN(value) ? '' : number(value)
}

function ratio(figure, of, to) {
  const found = figure?.ratios.find(ratio => ratio.of === of && ratio.to === to)
  return found === undefined ? '' : `${number(found.median)} (${number(found.low)} to ${number(found.high)})`
}

function nodes(count) {
  return Math.max(1, Math.ceil(count)).toLocaleString('en')
}

function unit(text, name) {
  return text === '' ? '' : `${text} ${name}`
}
